package usernet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/davit-run/davit/host/internal/usernet/stage"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

const (
	lockFile = "lock"
	logFile  = "log"
)

const (
	// holdTime bounds the start of a helper until it has set up the namespace. Seen: 30 ms.
	holdTime  = 20 * time.Second
	readyPoll = 2 * time.Millisecond
	// stopTime is how long one that is killed may take to be gone.
	stopTime = 5 * time.Second
	// A helper that has died is started again after a pause, which grows with each that does
	// not live for lived.
	minPause, maxPause = 50 * time.Millisecond, 30 * time.Second
	lived              = 10 * time.Second
)

// helper is the helper of a container.
type helper struct {
	id, netns string
	process   *linux.Process
	child     func() error // waits for it, if it is a child
	since     time.Time
	deaths    int // of helpers before it that have not lived long
	ended     chan struct{}
}

// lives reports whether a helper was started and its end has not been seen.
func (h *helper) lives() bool {
	select {
	case <-h.ended:
		return false
	default:
		return h.process != nil
	}
}

// hold does what Hold does. The caller has the lock of the container.
func (m *Manager) hold(ctx context.Context, id, netns string, deaths int) error {
	ctx, cancel := context.WithTimeout(ctx, holdTime)
	defer cancel()
	dir := filepath.Join(m.dir, id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	lock, err := linux.Open(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	defer lock.Close() // a stage has it too
	if err := linux.Lock(lock, holdTime); err != nil {
		return err
	}
	process, err := recorded(dir)
	if err == nil && process != nil {
		h := &helper{id: id, netns: netns, process: process, since: time.Now(), deaths: deaths, ended: make(chan struct{})}
		if err = h.ready(ctx); err == nil {
			m.watch(h)
			return nil
		}
		m.opts.Logger.Warn("the program that connects a container with network user is replaced", "container", id, "error", err)
		err = end(process)
	}
	if err != nil {
		return err
	}
	h, err := m.start(ctx, dir, lock, id, netns)
	if err != nil {
		return err
	}
	h.deaths = deaths
	m.watch(h)
	return nil
}

// recorded returns the helper whose record is in dir, or nil if it does not live.
func recorded(dir string) (*linux.Process, error) {
	text, err := linux.ReadFile(filepath.Join(dir, stage.Record), 1<<12)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var p stage.Process
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return nil, fmt.Errorf("record of a helper: %w", err)
	}
	boot, err := linux.BootID()
	if err != nil || boot != p.Boot {
		return nil, err
	}
	process, err := linux.OpenProcess(p.PID, func() error {
		if s, err := linux.StatOf(p.PID); err != nil || s.Start != p.Start || s.State == 'Z' {
			return unix.ESRCH
		}
		return nil
	})
	if errors.Is(err, unix.ESRCH) {
		return nil, nil
	}
	return process, err
}

// start starts a helper, and waits until it has set up the namespace.
func (m *Manager) start(ctx context.Context, dir string, lock *os.File, id, netns string) (_ *helper, err error) {
	owner, err := ownerOf(netns)
	if err != nil {
		return nil, err
	}
	if owner != nil {
		defer owner.Close()
	}
	c, err := config(netns, owner != nil)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(dir, logFile), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	input, send, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer input.Close()
	defer send.Close()
	cmd := stage.Command(dir, id, stage.Files{Input: input, Log: log, Lock: lock, UserNS: owner})
	pidfd := -1
	cmd.SysProcAttr.PidFD = &pidfd
	if m.opts.Tied {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	h := &helper{id: id, netns: netns, process: linux.NewProcess(cmd.Process.Pid, pidfd), child: cmd.Wait, since: time.Now(), ended: make(chan struct{})}
	if err = json.NewEncoder(send).Encode(c); err == nil {
		_ = send.Close()
		err = h.ready(ctx)
	}
	if err != nil {
		_ = h.process.Signal(unix.SIGKILL)
		err = errors.Join(err, cmd.Wait())
		_ = h.process.Close()
		return nil, fmt.Errorf("%s: %w%s", filepath.Base(c.Program), err, lastWords(dir))
	}
	return h, nil
}

// ready waits until a helper has set up its namespace.
func (h *helper) ready(ctx context.Context) error {
	for {
		done, err := configured(h.netns)
		if done || err != nil {
			return err
		}
		if s, err := linux.StatOf(h.process.PID); err != nil || s.State == 'Z' {
			return errors.New("it has ended")
		}
		select {
		case <-time.After(readyPoll):
		case <-ctx.Done():
			return fmt.Errorf("it has not connected the container: %w", context.Cause(ctx))
		}
	}
}

// lastWords returns what a helper has logged, for an error.
func lastWords(dir string) string {
	text, err := linux.ReadFile(filepath.Join(dir, logFile), 1<<16)
	if err != nil || len(text) == 0 {
		return ""
	}
	return fmt.Sprintf("; it said: %.500q", text)
}

// End ends the helper of a container, if it has one, and leaves nothing of it, unless keep, which
// may be nil, reports that the container is to have one after all. No helper is started between
// that and the end.
func (m *Manager) End(ctx context.Context, id string, keep func() bool) error {
	unlock, err := m.changes.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	if keep != nil && keep() {
		return nil
	}
	m.mu.Lock()
	delete(m.held, id)
	m.mu.Unlock()
	dir := filepath.Join(m.dir, id)
	lock, err := linux.Open(filepath.Join(dir, lockFile), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return os.RemoveAll(dir)
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := linux.Lock(lock, stopTime); err != nil {
		return err
	}
	process, err := recorded(dir)
	if err == nil && process != nil {
		err = end(process)
	}
	if err != nil {
		return fmt.Errorf("container %s: the program that connects it: %w", id, err)
	}
	return os.RemoveAll(dir)
}

// end kills a helper, and waits until it has let go of the namespace.
func end(process *linux.Process) error {
	defer process.Close()
	if err := process.Signal(unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	return process.Wait(ctx)
}
