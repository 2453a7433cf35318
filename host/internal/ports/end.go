package ports

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// stopTime is how long a holder may take to give up its ports. It gives them up at once, and
// then lets its connections come to their end.
const stopTime = 3 * time.Second

// findTime is how long a holder is asked who it is, before all processes are looked at.
const findTime = 200 * time.Millisecond

// End ends the holder of a container, if it has one, and leaves nothing of it, unless keep,
// which may be nil, reports that the container is to have one after all. No holder is started
// between that and the end. The ports are free when End returns.
func (m *Manager) End(ctx context.Context, id string, keep func() bool) error {
	unlock, err := m.changes.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	if keep != nil && keep() {
		return nil
	}
	if s := m.takeReserved(id); s != nil {
		s.close()
	}
	m.mu.Lock()
	delete(m.held, id)
	m.mu.Unlock()
	m.serve(id, false)
	dir := filepath.Join(m.dir, id)
	lock, err := linux.Open(filepath.Join(dir, lockFile), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return os.RemoveAll(dir)
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := linux.Lock(lock, 0); errors.Is(err, unix.EWOULDBLOCK) {
		err = stop(dir, lock)
		if err != nil {
			return fmt.Errorf("container %s: the holder of its ports: %w", id, err)
		}
	} else if err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// stop ends the holder that has the lock in dir, and takes the lock.
func stop(dir string, lock *os.File) error {
	signal(dir, unix.SIGTERM)
	err := linux.Lock(lock, stopTime)
	if errors.Is(err, unix.EWOULDBLOCK) {
		signal(dir, unix.SIGKILL)
		err = linux.Lock(lock, stopTime)
	}
	return err
}

// signal sends a signal to the holder in dir. One that answers is found fastest.
func signal(dir string, sig unix.Signal) {
	ctx, cancel := context.WithTimeout(context.Background(), findTime)
	defer cancel()
	if conn, err := dial(ctx, dir, nil); err == nil && sig == unix.SIGTERM {
		defer conn.Close()
		if p, err := peer(conn, dir); err == nil {
			defer p.Close()
			if p.Signal(sig) == nil {
				return
			}
		}
	}
	found, _ := linux.FindHolders(filepath.Join(dir, lockFile))
	for _, p := range found {
		_ = p.Signal(sig)
		_ = p.Close()
	}
}
