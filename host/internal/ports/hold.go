package ports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/davit-run/davit/host/internal/ports/holder"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

const (
	lockFile = "lock"
	logFile  = "log"
)

const (
	// holdTime bounds the start of a holder, or the search for one. Seen: 10 ms.
	holdTime = 20 * time.Second
	// A holder that has died is made anew after a pause, which grows with each that does not
	// live for lived.
	minPause, maxPause = 50 * time.Millisecond, 30 * time.Second
	lived              = 10 * time.Second
)

// held is the holder of a container.
type held struct {
	want    Want // of which Bound is what it holds. The lock of the container guards Target, Target6 and Record
	process *linux.Process
	child   func() error // waits for it, if it is a child
	tie     *os.File     // ends it, if it is tied
	since   time.Time
	deaths  int // of holders before it that have not lived long
	ended   chan struct{}
}

// lives reports whether a holder was started and its end has not been seen.
func (h *held) lives() bool {
	select {
	case <-h.ended:
		return false
	default:
		return h.process != nil
	}
}

// release lets go of a holder, which lives on unless it is tied.
func (h *held) release() {
	_ = h.process.Close()
	if h.tie != nil {
		_ = h.tie.Close()
	}
}

// Hold sees to it that a container has a holder, with the ports that are bound for it: the
// one that it has, also from an earlier host, or else a new one. From then on it is made anew
// whenever it dies, until End is called.
func (m *Manager) Hold(ctx context.Context, want Want) error {
	unlock, err := m.changes.Lock(ctx, want.ID)
	if err != nil {
		return err
	}
	defer unlock()
	m.mu.Lock()
	h := m.held[want.ID]
	m.mu.Unlock()
	if h != nil && h.lives() && same(h.want.Bound, want.Bound) {
		if h.want.Target == want.Target && h.want.Target6 == want.Target6 {
			return nil
		}
		err := m.redirect(ctx, want)
		if err == nil {
			h.want.Target, h.want.Target6, h.want.Record = want.Target, want.Target6, want.Record
			m.opts.Changed()
		}
		return err
	}
	err = m.hold(ctx, want, 0)
	m.serve(want.ID, err == nil)
	return err
}

// Keep does what Hold does, in the background and until it succeeds or End is called.
func (m *Manager) Keep(want Want) {
	h := &held{want: want}
	m.mu.Lock()
	if m.held[want.ID] != nil {
		m.mu.Unlock()
		return
	}
	m.held[want.ID] = h
	m.mu.Unlock()
	m.background(func() { m.holdAgain(h, 0) })
}

// hold does what Hold does. The caller has the lock of the container.
func (m *Manager) hold(ctx context.Context, want Want, deaths int) error {
	ctx, cancel := context.WithTimeout(ctx, holdTime)
	defer cancel()
	dir := filepath.Join(m.dir, want.ID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	lock, err := linux.Open(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	defer lock.Close() // a holder has it too
	if err = linux.Lock(lock, 0); errors.Is(err, unix.EWOULDBLOCK) {
		adopted, aerr := m.adopt(ctx, dir, lock, want)
		if aerr == nil {
			m.watch(adopted)
			return nil
		}
		m.opts.Logger.Warn("the holder of a container's ports is replaced", "container", want.ID, "error", aerr)
		err = stop(dir, lock)
	}
	if err != nil {
		return err
	}
	s := m.takeReserved(want.ID)
	if s == nil {
		if s, err = m.bind(ctx, want.Asked, want.Bound); err != nil {
			return err
		}
	}
	defer s.close() // the holder has them too
	if !same(s.ports, want.Bound) {
		if err := want.Record(ctx, s.ports); err != nil {
			return err
		}
		want.Bound = s.ports
	}
	h, err := m.start(ctx, dir, lock, want, s)
	if err != nil {
		return fmt.Errorf("the holder of the published ports: %w", err)
	}
	h.deaths = deaths
	m.watch(h)
	return nil
}

// start starts a holder, and waits until it serves.
func (m *Manager) start(ctx context.Context, dir string, lock *os.File, want Want, s *sockets) (_ *held, err error) {
	log, err := os.OpenFile(filepath.Join(dir, logFile), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	input, tie, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer input.Close()
	defer func() {
		if err != nil || !m.opts.Tied {
			_ = tie.Close()
		}
	}()
	report, reportWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer report.Close()
	defer reportWrite.Close()

	files := holder.Files{Input: input, Report: reportWrite, Log: log, Lock: lock, Sockets: s.files}
	if m.opts.Keep {
		if files.Keep, err = keepFlows(want.ID); err != nil {
			m.opts.Logger.Debug("connections that the kernel forwards do not outlive a flush of all rules", "container", want.ID, "error", err)
		} else {
			defer files.Keep.Close()
		}
	}
	cmd := holder.Command(dir, want.ID, files)
	pidfd := -1
	cmd.SysProcAttr.PidFD = &pidfd
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	h := &held{want: want, process: linux.NewProcess(cmd.Process.Pid, pidfd), child: cmd.Wait, since: time.Now(), ended: make(chan struct{})}
	_ = input.Close()
	_ = reportWrite.Close()
	// If it dies, the pipes end, and so do the calls below.
	cut := context.AfterFunc(ctx, func() { _ = h.process.Signal(unix.SIGKILL) })
	defer cut()
	werr := json.NewEncoder(tie).Encode(holder.Config{ID: want.ID, Ports: want.Bound, Target: want.Target, Target6: want.Target6, Tied: m.opts.Tied, Keep: files.Keep != nil})
	var state holder.State
	if err := json.NewDecoder(report).Decode(&state); err != nil {
		_ = h.process.Signal(unix.SIGKILL)
		err = errors.Join(cmd.Wait(), werr, err, context.Cause(ctx))
		h.release()
		return nil, fmt.Errorf("it died: %w%s", err, lastWords(dir))
	}
	if m.opts.Tied {
		h.tie = tie
	}
	return h, nil
}

// lastWords returns what a holder has logged, for an error.
func lastWords(dir string) string {
	text, err := linux.ReadFile(filepath.Join(dir, logFile), 1<<16)
	if err != nil || len(text) == 0 {
		return ""
	}
	return fmt.Sprintf("; it said: %.500q", text)
}

// watch makes the holder of a container the one that it has, and a new one when that dies.
func (m *Manager) watch(h *held) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		h.release()
		return
	}
	m.held[h.want.ID] = h
	m.wg.Go(func() {
		err := h.process.Wait(m.ctx)
		close(h.ended)
		if err == nil && h.child != nil {
			_ = h.child()
		}
		h.release()
		if err != nil || !m.holds(h) {
			return
		}
		m.opts.Logger.Warn("the holder of a container's ports has died, and is made anew", "container", h.want.ID, "pid", h.process.PID)
		deaths := h.deaths + 1
		if time.Since(h.since) > lived {
			deaths = 0
		}
		m.holdAgain(h, deaths)
	})
}

// holds reports whether a holder is the one that its container is to have.
func (m *Manager) holds(h *held) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held[h.want.ID] == h
}

// holdAgain replaces a holder that has died, however long it takes.
func (m *Manager) holdAgain(h *held, deaths int) {
	for tries := deaths; ; tries++ {
		if tries > 0 {
			select {
			case <-time.After(min(minPause<<min(tries-1, 16), maxPause)):
			case <-m.ctx.Done():
				return
			}
		}
		unlock, err := m.changes.Lock(m.ctx, h.want.ID)
		if err != nil {
			return
		}
		if !m.holds(h) {
			unlock()
			return
		}
		err = m.hold(m.ctx, h.want, tries)
		if m.ctx.Err() == nil {
			m.serve(h.want.ID, err == nil)
		}
		unlock()
		if err == nil || m.ctx.Err() != nil {
			return
		}
		m.opts.Logger.Error("the published ports of a container are not held; that is tried again", "container", h.want.ID, "error", err)
	}
}
