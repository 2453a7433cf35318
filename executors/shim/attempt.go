package shim

import (
	"context"
	"sync"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
)

// attempt is an attempt that this process watches, or has watched to its end.
type attempt struct {
	record
	oom oci.OOMSource

	cancel context.CancelFunc
	done   chan struct{} // closed when the watcher has ended
	err    error         // why it ended early; read after done

	mu   sync.Mutex
	task *task // nil when the shim is gone
	st   executor.Status
	sent map[executor.Signal]bool // by us
}

func (a *attempt) status() executor.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.st
}

// exited notes the end and gives the status to report.
func (a *attempt) exited(exit *executor.Exit) executor.Status {
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

func (a *attempt) released(out executor.Output) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.st.State, a.st.Output = executor.Released, out
}

// signalled notes a signal that is about to be sent.
func (a *attempt) signalled(s executor.Signal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sent == nil {
		a.sent = make(map[executor.Signal]bool)
	}
	a.sent[s] = true
}

// over reports whether the watcher has ended, and how.
func (a *attempt) over() (bool, error) {
	select {
	case <-a.done:
		return true, a.err
	default:
		return false, nil
	}
}

// connection gives the connection to the shim, nil if there is none.
func (a *attempt) connection() *task {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.task
}

// replaceTask replaces the connection to the shim, by nil when the shim is gone.
func (a *attempt) replaceTask(t *task) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.task != nil && a.task != t {
		a.task.close()
	}
	a.task = t
}

func (a *attempt) closeTask() { a.replaceTask(nil) }

// watched gives the attempt of an id that this process knows, or nil.
func (b *Backend) watched(id string) *attempt {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.attempts[id]
}

// stopWatching ends the watcher of an id and forgets the attempt.
func (b *Backend) stopWatching(id string) {
	b.mu.Lock()
	a := b.attempts[id]
	delete(b.attempts, id)
	b.mu.Unlock()
	if a != nil {
		a.cancel()
		<-a.done
		a.closeTask()
	}
}

// watch starts a watcher for an attempt that stands as st says. t is the
// connection to its shim, nil if that is gone; the attempt owns it from now on.
// Nobody else may work on the id meanwhile.
func (b *Backend) watch(st executor.Status, r record, oom oci.OOMSource, t *task) {
	b.stopWatching(r.Ref.ID)
	ctx, cancel := context.WithCancel(b.ctx)
	a := &attempt{record: r, oom: oom, cancel: cancel, done: make(chan struct{}), st: st, task: t}
	b.mu.Lock()
	b.attempts[r.Ref.ID] = a
	b.mu.Unlock()
	b.wg.Go(func() {
		defer close(a.done)
		defer cancel()
		a.err = b.follow(ctx, a)
		if a.err != nil && ctx.Err() == nil {
			b.log.Error("attempt is not followed any more", "ref", a.Ref, "error", a.err)
		}
	})
}
