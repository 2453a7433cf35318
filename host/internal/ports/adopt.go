package ports

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/davit-run/davit/host/internal/ports/holder"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

const (
	// adoptTime is how long a holder has to answer. One that is being started by a host
	// that was killed needs a moment.
	adoptTime = 5 * time.Second
	adoptPoll = 5 * time.Millisecond
)

// adopt finds the holder that has the lock in dir, and gives it the container's address. One
// that has not got far enough to answer when its host was killed may end meanwhile.
func (m *Manager) adopt(ctx context.Context, dir string, lock *os.File, want Want) (*held, error) {
	ctx, cancel := context.WithTimeout(ctx, adoptTime)
	defer cancel()
	conn, err := dial(ctx, dir, func() bool { return linux.Lock(lock, 0) == nil })
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	process, err := peer(conn, dir)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	state, err := holder.Ask(conn, holder.Request{Target: want.Target, Target6: want.Target6})
	if err == nil && (state.ID != want.ID || !same(state.Ports, want.Bound)) {
		err = fmt.Errorf("process %d holds %v for container %s", process.PID, state.Ports, state.ID)
	}
	if err == nil && m.opts.Tied {
		err = errors.New("it is tied to another host")
	}
	if err != nil {
		_ = process.Close()
		return nil, err
	}
	return &held{want: want, process: process, since: time.Now(), ended: make(chan struct{})}, nil
}

// redirect gives the holder of a container another address.
func (m *Manager) redirect(ctx context.Context, want Want) error {
	ctx, cancel := context.WithTimeout(ctx, adoptTime)
	defer cancel()
	conn, err := dial(ctx, filepath.Join(m.dir, want.ID), nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	_, err = holder.Ask(conn, holder.Request{Target: want.Target, Target6: want.Target6})
	return err
}

// dial connects to the holder in dir. It tries until ctx ends, or ended, unless nil, reports
// that there is none any more.
func dial(ctx context.Context, dir string, ended func() bool) (*net.UnixConn, error) {
	// The address of a socket is short, and the run directory's path need not be.
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	address := filepath.Join(linux.FDPath(int(d.Fd())), holder.Socket)
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", address)
		if err == nil {
			return conn.(*net.UnixConn), nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ECONNREFUSED) {
			return nil, err
		}
		if ended != nil && ended() {
			return nil, errors.New("it has ended")
		}
		select {
		case <-time.After(adoptPoll):
		case <-ctx.Done():
			return nil, fmt.Errorf("it does not answer: %w", err)
		}
	}
}

// peer returns the holder at the other end of a connection.
func peer(conn *net.UnixConn, dir string) (*linux.Process, error) {
	pid, _, err := linux.PeerOf(conn)
	if err != nil {
		return nil, err
	}
	return linux.OpenProcess(pid, func() error {
		// The connection is to the process that had this pid when it began to listen. If
		// it has the lock open, it is the holder, and alive.
		if !linux.HasOpen(pid, filepath.Join(dir, lockFile)) {
			return fmt.Errorf("process %d answers, but does not have the lock", pid)
		}
		return nil
	})
}
