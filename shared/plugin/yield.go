package plugin

import (
	"context"
	"errors"
	"sync"

	"github.com/davit-run/davit/shared/executor"
)

// errPreempted is the cause of the end of a call that gave way to another.
var errPreempted = errors.New("it was killed or removed before it was started")

// yielders are the calls under way that yield. The zero value is ready.
type yielders struct {
	mu    sync.Mutex
	calls map[*yielder]bool
}

// yielder is a call that yields, about an attempt.
type yielder struct {
	ref    executor.Ref
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when it has ended
}

// begin adds a call that yields until end is called. It returns the context for it.
func (y *yielders) begin(ctx context.Context, ref executor.Ref) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	call := &yielder{ref, cancel, make(chan struct{})}
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.calls == nil {
		y.calls = map[*yielder]bool{}
	}
	y.calls[call] = true
	return ctx, func() {
		y.mu.Lock()
		delete(y.calls, call)
		y.mu.Unlock()
		cancel(nil)
		close(call.done)
	}
}

// preempt cancels the calls about an attempt of a container, or an earlier one, and
// waits for their end for as long as ctx allows.
func (y *yielders) preempt(ctx context.Context, ref executor.Ref) error {
	var calls []*yielder
	y.mu.Lock()
	for call := range y.calls {
		if call.ref.ID == ref.ID && call.ref.Exec == ref.Exec && call.ref.Attempt <= ref.Attempt {
			call.cancel(errPreempted)
			calls = append(calls, call)
		}
	}
	y.mu.Unlock()
	for _, call := range calls {
		select {
		case <-call.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// preempted returns the error of a call that yields. If it gave way, err is about the
// end of its context, and says nothing of the reason.
func preempted(ctx context.Context, ref executor.Ref, err error) error {
	if errors.Is(context.Cause(ctx), errPreempted) && executor.CodeOf(err) == executor.Canceled {
		return executor.Errorf(executor.Canceled, "container %s: %w", ref, errPreempted)
	}
	return err
}
