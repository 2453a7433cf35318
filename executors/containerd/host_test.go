package containerd

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// fakeHost is a host that keeps what it is told.
type fakeHost struct {
	mu       sync.Mutex
	exits    map[executor.Ref][]executor.Status
	released map[executor.Ref][]executor.Output
	refuse   error         // answer to Exited
	hold     chan struct{} // if set, Exited waits for it
	changed  chan struct{}
}

func newHost() *fakeHost {
	return &fakeHost{
		exits:    make(map[executor.Ref][]executor.Status),
		released: make(map[executor.Ref][]executor.Output),
		changed:  make(chan struct{}),
	}
}

func (h *fakeHost) Exited(ctx context.Context, st executor.Status) error {
	h.mu.Lock()
	hold, refuse := h.hold, h.refuse
	h.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if refuse != nil {
		return refuse
	}
	h.note(func() { h.exits[st.Ref] = append(h.exits[st.Ref], st) })
	return nil
}

func (h *fakeHost) Released(_ context.Context, ref executor.Ref, out executor.Output) error {
	h.note(func() { h.released[ref] = append(h.released[ref], out) })
	return nil
}

func (h *fakeHost) note(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	close(h.changed)
	h.changed = make(chan struct{})
}

// wait waits until cond, which is called with the lock held, is true.
func (h *fakeHost) wait(t *testing.T, what string, cond func() bool) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		h.mu.Lock()
		ok, changed := cond(), h.changed
		h.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// waitReleased waits for the whole end of an attempt.
func (h *fakeHost) waitReleased(t *testing.T, ref executor.Ref) (executor.Exit, executor.Output) {
	t.Helper()
	h.wait(t, "the release of "+ref.String(), func() bool { return len(h.released[ref]) > 0 })
	h.mu.Lock()
	defer h.mu.Unlock()
	return *h.exits[ref][0].Exit, h.released[ref][0]
}
