package shim_test

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
	hold     chan struct{} // if set, Exited waits for it
}

func newHost() *fakeHost {
	return &fakeHost{exits: make(map[executor.Ref][]executor.Status), released: make(map[executor.Ref][]executor.Output)}
}

func (h *fakeHost) Exited(ctx context.Context, st executor.Status) error {
	h.mu.Lock()
	hold := h.hold
	h.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.exits[st.Ref] = append(h.exits[st.Ref], st)
	return nil
}

func (h *fakeHost) Released(_ context.Context, ref executor.Ref, out executor.Output) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.released[ref] = append(h.released[ref], out)
	return nil
}

// waitReleased waits for the whole end of an attempt.
func (h *fakeHost) waitReleased(t testing.TB, ref executor.Ref) (executor.Exit, executor.Output) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		h.mu.Lock()
		released := h.released[ref]
		exits := h.exits[ref]
		h.mu.Unlock()
		if len(released) > 0 {
			return *exits[0].Exit, released[0]
		}
	}
	t.Fatalf("%s is not released", ref)
	return executor.Exit{}, ""
}
