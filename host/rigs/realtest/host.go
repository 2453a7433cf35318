package realtest

import (
	"context"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// Host is an executor.Host that stores what is reported to it.
type Host struct {
	mu       sync.Mutex
	exits    map[executor.Ref][]executor.Status
	released map[executor.Ref][]executor.Output
	answer   func(context.Context) error // of Exited
	changed  chan struct{}
}

// NewHost returns a host without reports.
func NewHost() *Host {
	return &Host{
		exits:    make(map[executor.Ref][]executor.Status),
		released: make(map[executor.Ref][]executor.Output),
		changed:  make(chan struct{}),
	}
}

// Exited implements [executor.Host].
func (h *Host) Exited(ctx context.Context, st executor.Status) error {
	h.mu.Lock()
	answer := h.answer
	h.mu.Unlock()
	if answer != nil {
		if err := answer(ctx); err != nil {
			return err
		}
	}
	h.note(func() { h.exits[st.Ref] = append(h.exits[st.Ref], st) })
	return nil
}

// Released implements [executor.Host].
func (h *Host) Released(_ context.Context, ref executor.Ref, out executor.Output) error {
	h.note(func() { h.released[ref] = append(h.released[ref], out) })
	return nil
}

func (h *Host) note(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	close(h.changed)
	h.changed = make(chan struct{})
}

// wait waits until cond, which is called with the lock held, is true.
func (h *Host) wait(t testing.TB, what string, cond func() bool) {
	t.Helper()
	timeout := time.After(wait.Patience)
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

// WaitReleased waits for the whole end of an attempt.
func (h *Host) WaitReleased(t testing.TB, ref executor.Ref) (executor.Exit, executor.Output) {
	t.Helper()
	h.wait(t, "the release of "+ref.String(), func() bool { return len(h.released[ref]) > 0 })
	h.mu.Lock()
	defer h.mu.Unlock()
	return *h.exits[ref][0].Exit, h.released[ref][0]
}

// Exits returns the exits that were reported, by attempt.
func (h *Host) Exits() map[executor.Ref][]executor.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.exits)
}

// Answer sets what Exited answers; nil stands for taking the exit.
func (h *Host) Answer(answer func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = answer
}

// Never is an answer that does not come.
func Never(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}
