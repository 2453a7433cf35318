package lifecycle

import (
	"context"
	"sync"

	"github.com/davit-run/davit/shared/executor"
)

// attempt is an attempt that this process watches, or has watched to its end.
type attempt[P Process] struct {
	ref     executor.Ref
	process P
	cancel  context.CancelFunc
	done    chan struct{} // closed when the watcher has ended
	err     error         // why it ended early; read after done

	mu   sync.Mutex
	st   executor.Status
	sent map[executor.Signal]bool // by this process
}

// status returns what is known of the attempt.
func (a *attempt[P]) status() executor.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.st
}

// exited sets the exit, and returns the status with it.
func (a *attempt[P]) exited(exit *executor.Exit) executor.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	if exit.Code != nil && exit.Signal == 0 {
		if sig := executor.SignalFromCode(*exit.Code); a.sent[sig] {
			exit.Signal = sig
		}
	}
	a.st.State, a.st.Exit, a.st.PID = executor.Exited, exit, 0
	return a.st
}

// released sets the state to Released.
func (a *attempt[P]) released(output executor.Output) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.st.State, a.st.Output = executor.Released, output
}

// paused sets whether the process is frozen, unless it has ended.
func (a *attempt[P]) paused(frozen bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.st.State.Ended():
	case frozen:
		a.st.State = executor.Paused
	default:
		a.st.State = executor.Running
	}
}

// signalled remembers a signal that is about to be sent, so that a death by it is
// recognized.
func (a *attempt[P]) signalled(sig executor.Signal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sent == nil {
		a.sent = make(map[executor.Signal]bool)
	}
	a.sent[sig] = true
}

// wasSent reports whether a signal was sent.
func (a *attempt[P]) wasSent(sig executor.Signal) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sent[sig]
}

// failed reports whether the watcher has ended before the release.
func (a *attempt[P]) failed() bool {
	select {
	case <-a.done:
		return a.err != nil
	default:
		return false
	}
}

// believed reports whether the status is what a driver would find: the watcher has
// not ended early, or at least not before it knew the exit.
func (a *attempt[P]) believed() bool { return !a.failed() || a.status().State.Ended() }

// handOver waits until the host has the exit of an attempt that has ended, and the
// attempt is released.
func (a *attempt[P]) handOver(ctx context.Context) error {
	select {
	case <-a.done:
	case <-ctx.Done():
		return executor.Errorf(executor.CodeOf(ctx.Err()), "%s: its exit is not handed over yet: %w", called(a.ref), ctx.Err())
	}
	if a.err == nil {
		return nil
	}
	code := executor.CodeOf(a.err)
	if code == executor.NotFound { // this host does not know the attempt, and says so
		code = executor.FailedPrecondition
	}
	return executor.Errorf(code, "%s: its exit cannot be handed over: %w", called(a.ref), a.err)
}
