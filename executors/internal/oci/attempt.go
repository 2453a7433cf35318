package oci

import (
	"context"
	"sync"

	"github.com/davit-run/davit/shared/executor"
)

// Attempt is an attempt that this process watches, or has watched to its end. An
// executor's own type may embed it.
type Attempt struct {
	Ref executor.Ref
	OOM OOMSource
	// Drain is the longest that the shim waits for output to drain.
	Drain DrainCap

	cancel context.CancelFunc
	done   chan struct{} // closed when the watcher has ended
	err    error         // why it ended early; read after done

	mu   sync.Mutex
	st   executor.Status
	sent map[executor.Signal]bool // by us
}

// NewAttempt makes an attempt that stands as st says.
func NewAttempt(st executor.Status, oom OOMSource, drain DrainCap) *Attempt {
	return &Attempt{Ref: st.Ref, OOM: oom, Drain: drain, done: make(chan struct{}), st: st}
}

func (a *Attempt) base() *Attempt { return a }

// Status gives what is known of the attempt.
func (a *Attempt) Status() executor.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.st
}

// Exited notes the end and gives the status to report.
func (a *Attempt) Exited(exit *executor.Exit) executor.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	if exit.Code != nil && exit.Signal == 0 {
		if s := executor.SignalFromCode(*exit.Code); a.sent[s] {
			exit.Signal = s
		}
	}
	a.st.State, a.st.Exit, a.st.PID = executor.Exited, exit, 0
	return a.st
}

// Released notes the release.
func (a *Attempt) Released(out executor.Output) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.st.State, a.st.Output = executor.Released, out
}

// Signalled notes a signal that is about to be sent, so that a death by it is
// known as one.
func (a *Attempt) Signalled(s executor.Signal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sent == nil {
		a.sent = make(map[executor.Signal]bool)
	}
	a.sent[s] = true
}

// Over reports whether the watcher has ended, and how.
func (a *Attempt) Over() (bool, error) {
	select {
	case <-a.done:
		return true, a.err
	default:
		return false, nil
	}
}

// Wait waits for the watcher's end. The error is the watcher's, or that of ctx.
func (a *Attempt) Wait(ctx context.Context) error {
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
