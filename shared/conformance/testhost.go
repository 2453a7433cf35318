package conformance

import (
	"context"
	"slices"
	"sync"

	"github.com/davit-run/davit/shared/executor"
)

// testHost is the host of a trial. It keeps the calls that it receives in their
// order, and by default answers at once.
type testHost struct {
	mu      sync.Mutex
	events  []event
	changed chan struct{} // closed with each event
	// answer returns the answer to Exited; nil takes the exit.
	answer func(context.Context) error
	// onReleased runs before Released is answered.
	onReleased func(executor.Ref)
}

type eventKind string

const (
	exitCalled eventKind = "call of Exited"          // and not answered yet
	exitTaken  eventKind = "answered call of Exited" // with nil
	released   eventKind = "call of Released"
)

type event struct {
	kind   eventKind
	ref    executor.Ref
	status executor.Status // of exitCalled and exitTaken
	output executor.Output // of released
}

func newTestHost() *testHost { return &testHost{changed: make(chan struct{})} }

// Exited implements executor.Host.
func (r *testHost) Exited(ctx context.Context, status executor.Status) error {
	r.note(event{kind: exitCalled, ref: status.Ref, status: status})
	r.mu.Lock()
	answer := r.answer
	r.mu.Unlock()
	if answer != nil {
		if err := answer(ctx); err != nil {
			return err
		}
	}
	r.note(event{kind: exitTaken, ref: status.Ref, status: status})
	return nil
}

// Released implements executor.Host.
func (r *testHost) Released(_ context.Context, ref executor.Ref, output executor.Output) error {
	r.mu.Lock()
	hook := r.onReleased
	r.mu.Unlock()
	if hook != nil {
		hook(ref)
	}
	r.note(event{kind: released, ref: ref, output: output})
	return nil
}

func (r *testHost) note(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	close(r.changed)
	r.changed = make(chan struct{})
}

// answerWith sets the answer to calls of Exited from now on.
func (r *testHost) answerWith(answer func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// beforeReleased sets what runs before calls of Released are answered from now on.
func (r *testHost) beforeReleased(hook func(executor.Ref)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onReleased = hook
}

// block makes calls of Exited wait until release is called.
func (r *testHost) block() (release func()) {
	gate := make(chan struct{})
	r.answerWith(func(ctx context.Context) error {
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	return sync.OnceFunc(func() {
		r.answerWith(nil)
		close(gate)
	})
}

// all returns the events so far, and a channel that is closed with the next one.
func (r *testHost) all() ([]event, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clip(r.events), r.changed
}

// find returns the first event of a kind for ref, and its place in the order.
func (r *testHost) find(kind eventKind, ref executor.Ref) (e event, at int) {
	events, _ := r.all()
	for i, e := range events {
		if e.kind == kind && e.ref == ref {
			return e, i
		}
	}
	return event{}, -1
}

func (r *testHost) count(kind eventKind, ref executor.Ref) (n int) {
	events, _ := r.all()
	for _, e := range events {
		if e.kind == kind && e.ref == ref {
			n++
		}
	}
	return n
}
