package shim

import (
	"sync"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
)

// attempt is an attempt that this process watches, or has watched to its end.
type attempt struct {
	*oci.Attempt
	record record
	// drained is what is known of the output once the task is deleted. It is the
	// watcher's.
	drained executor.Output

	mu   sync.Mutex
	task *task // nil when the shim is gone
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
	a, _ := b.attempts.Get(id)
	return a
}

// stopWatching ends the watcher of an id and forgets the attempt.
func (b *Backend) stopWatching(id string) {
	if a := b.attempts.Stop(id); a != nil {
		a.closeTask()
	}
}

// watch starts a watcher for an attempt that stands as st says. t is the
// connection to its shim, nil if that is gone; the attempt owns it from now on.
// Nobody else may work on the id meanwhile.
func (b *Backend) watch(st executor.Status, r record, oom oci.OOMSource, t *task) {
	b.stopWatching(r.Ref.ID)
	b.attempts.Watch(&attempt{Attempt: oci.NewAttempt(st, oom, r.Drain), record: r, task: t}, b.follow)
}
