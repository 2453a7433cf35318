package cni

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

const (
	lockFile = "lock"
	lockPoll = 5 * time.Millisecond
	// killTime is how long what was killed may take to be gone.
	killTime = 5 * time.Second
)

// fence takes the lock of a namespace. While a plugin has it that was started by a host that
// was killed, it waits, and then kills it with its children.
func (r *Runner) fence(ctx context.Context, id string) (*os.File, error) {
	dir := filepath.Join(r.Dir, id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, lockFile)
	f, err := linux.Open(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	err = await(ctx, f, r.Patience)
	if errors.Is(err, unix.EWOULDBLOCK) {
		r.kill(path, id)
		err = await(ctx, f, killTime)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("plugins that an earlier host has started: %w", err)
	}
	return f, nil
}

// unfence gives the lock back, also that of what a plugin has left to run.
func unfence(f *os.File) {
	_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
	_ = f.Close()
}

// await takes a lock, and waits for it until ctx ends, at most as long as patience says.
func await(ctx context.Context, f *os.File, patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; {
		err := linux.Lock(f, 0)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-time.After(lockPoll):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// kill kills who has the lock, or waits for it.
func (r *Runner) kill(path, id string) {
	found, err := linux.FindHolders(path)
	for _, p := range found {
		r.Logger.Warn("a plugin that an earlier host has started for a container does not end, and is killed", "netns", id, "pid", p.PID)
		err = errors.Join(err, p.Signal(unix.SIGKILL), p.Close())
	}
	if err != nil {
		r.Logger.Warn("plugins that an earlier host has started were not all killed", "netns", id, "error", err)
	}
}
