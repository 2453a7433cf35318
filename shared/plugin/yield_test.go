package plugin

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// A Create that takes for ever gives way to a removal of its container, and to a
// SIGKILL. It does not give way to what leaves it a meaning.
func TestCreateGivesWay(t *testing.T) {
	kill := func(sig syscall.Signal) func(context.Context, transport.Client) error {
		return func(ctx context.Context, c transport.Client) error { return c.Signal(ctx, refA, sig) }
	}
	remove := func(attempt int) func(context.Context, transport.Client) error {
		return func(ctx context.Context, c transport.Client) error {
			return c.Delete(ctx, executor.Ref{ID: refA.ID, Attempt: attempt})
		}
	}
	for name, tt := range map[string]struct {
		ref   executor.Ref
		by    func(context.Context, transport.Client) error
		gives bool
	}{
		"to a removal":                    {refA, remove(1), true},
		"to a removal of a later one":     {refA, remove(2), true},
		"to SIGKILL":                      {refA, kill(syscall.SIGKILL), true},
		"not to another signal":           {refA, kill(syscall.SIGTERM), false},
		"not to another container":        {executor.Ref{ID: "b", Attempt: 1}, remove(1), false},
		"not to that of an earlier one's": {executor.Ref{ID: "a", Attempt: 2}, kill(syscall.SIGKILL), false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			entered, leave := make(chan struct{}), make(chan struct{})
			h.backend.create = func(ctx context.Context, _ executor.Workload) (executor.Status, error) {
				close(entered)
				select {
				case <-ctx.Done():
				case <-leave:
				}
				return executor.Status{Ref: tt.ref, State: executor.Running}, ctx.Err()
			}
			c := h.open(1, &fakeHost{})
			created := make(chan error, 1)
			go func() {
				_, err := c.Create(t.Context(), executor.Workload{Ref: tt.ref, Spec: spec})
				created <- err
			}()
			<-entered
			if err := tt.by(t.Context(), c); err != nil {
				t.Error(err)
			}
			if !tt.gives {
				close(leave)
			}
			err := <-created
			if tt.gives && (!errors.Is(err, executor.Canceled) || err.Error() != "container a/1: it was killed or removed before it was started") {
				t.Errorf("create: got %v, want that it was killed or removed", err)
			}
			if !tt.gives && err != nil {
				t.Errorf("create: got %v, want that it goes on", err)
			}
		})
	}
}
