package resolver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/davit-run/davit/host/internal/resolver/server"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

const (
	// startTime bounds the start of a resolver, or the search for one. Seen: 20 ms.
	startTime = 20 * time.Second
	// One that has died is made anew after a pause, which grows with each that does not live
	// for lived.
	minPause, maxPause = 20 * time.Millisecond, 30 * time.Second
	lived              = 10 * time.Second
	logFile            = "log"
)

// running is a resolver.
type running struct {
	process *linux.Process
	child   *exec.Cmd // nil for one that an earlier host has started
	tie     *os.File  // ends it, if it is tied
}

// keep sees to it that there is a resolver while one is wanted, until the manager is closed.
func (m *Manager) keep() {
	deaths := 0
	for {
		if !m.wanted() {
			select {
			case <-m.ring:
				continue
			case <-m.ctx.Done():
				m.clear()
				return
			}
		}
		r, err := m.get()
		if m.ctx.Err() != nil && err != nil {
			return
		}
		if err == nil {
			since := time.Now()
			m.use(r)
			if m.ctx.Err() != nil {
				return
			}
			if time.Since(since) > lived {
				deaths = 0
			}
			if !m.wanted() {
				continue // it has ended by itself
			}
			m.opts.Logger.Warn("the resolver of containers has died, and is made anew", "pid", r.process.PID)
		} else {
			m.opts.Logger.Error("there is no resolver for containers; that is tried again", "error", err)
		}
		select {
		case <-time.After(min(minPause<<min(deaths, 16), maxPause)):
		case <-m.ctx.Done():
			return
		}
		deaths++
	}
}

// use has a resolver serve until it ends, or the manager is closed.
func (m *Manager) use(r *running) {
	m.mu.Lock()
	m.process = r.process
	serving := m.serving
	close(serving)
	_ = r.process.Signal(unix.SIGHUP) // what was written since it was started
	m.mu.Unlock()
	ended := r.process.Wait(m.ctx) == nil
	m.mu.Lock()
	m.process, m.serving = nil, make(chan struct{})
	idle := m.clients == 0
	m.mu.Unlock()
	if !ended && (idle || m.opts.Tied) {
		_ = r.process.Signal(unix.SIGTERM)
		m.clearSoon(r)
	}
	if r.child != nil && (ended || idle || m.opts.Tied) {
		_ = r.child.Wait()
	}
	if r.tie != nil {
		_ = r.tie.Close()
	}
	_ = r.process.Close()
}

// clearSoon removes what a resolver that ends leaves.
func (m *Manager) clearSoon(r *running) {
	lock, err := linux.Open(filepath.Join(m.dir, server.LockFile), os.O_RDWR)
	if err != nil {
		return
	}
	defer lock.Close()
	const endTime = 3 * time.Second
	if linux.Lock(lock, endTime) != nil {
		_ = r.process.Signal(unix.SIGKILL)
	}
	_ = os.RemoveAll(m.dir)
}

// clear removes what an earlier resolver has left, if there is none any more and none is
// wanted.
func (m *Manager) clear() {
	m.mu.Lock()
	clients := m.clients
	m.mu.Unlock()
	lock, err := linux.Open(filepath.Join(m.dir, server.LockFile), os.O_RDWR)
	if err != nil || clients > 0 {
		return
	}
	defer lock.Close()
	if linux.Lock(lock, 0) == nil {
		_ = os.RemoveAll(m.dir)
	}
}

// get returns the resolver that there is, or a new one.
func (m *Manager) get() (*running, error) {
	ctx, cancel := context.WithTimeout(m.ctx, startTime)
	defer cancel()
	path := filepath.Join(m.dir, server.LockFile)
	lock, err := linux.Open(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	defer lock.Close() // the resolver has it too
	if err := linux.Lock(lock, 0); !errors.Is(err, unix.EWOULDBLOCK) {
		if err != nil {
			return nil, err
		}
		return m.start(ctx, lock)
	}
	found, err := linux.FindHolders(path)
	if err != nil || len(found) == 0 {
		return nil, errors.Join(errors.New("one that is there was not found"), err)
	}
	for _, other := range found[1:] {
		_ = other.Close()
	}
	return &running{process: found[0]}, nil
}

// start starts a resolver, and waits until it serves.
func (m *Manager) start(ctx context.Context, lock *os.File) (_ *running, err error) {
	log, err := os.OpenFile(filepath.Join(m.dir, logFile), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	input, tie, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer input.Close()
	report, reportWrite, err := os.Pipe()
	if err != nil {
		_ = tie.Close()
		return nil, err
	}
	defer report.Close()
	r := &running{child: server.Command(m.dir, m.opts.Tied, server.Files{Input: input, Report: reportWrite, Log: log, Lock: lock}), tie: tie}
	pidfd := -1
	r.child.SysProcAttr.PidFD = &pidfd
	err = r.child.Start()
	_ = reportWrite.Close()
	if err != nil {
		_ = tie.Close()
		return nil, err
	}
	r.process = linux.NewProcess(r.child.Process.Pid, pidfd)
	cut := context.AfterFunc(ctx, func() { _ = r.process.Signal(unix.SIGKILL) })
	defer cut()
	if _, err := bufio.NewReader(report).ReadString('\n'); err != nil {
		_ = r.process.Signal(unix.SIGKILL)
		err = errors.Join(r.child.Wait(), err, context.Cause(ctx))
		_ = r.process.Close()
		_ = tie.Close()
		said, _ := linux.ReadFile(log.Name(), 1<<16)
		return nil, fmt.Errorf("it died: %w; it said %.500q", err, said)
	}
	return r, nil
}
