package oci

import (
	"context"
	"time"
)

// Linger returns a context that outlives ctx by d. A call to containerd that is cut
// off half-way may still take effect afterwards. A call that may finish has a known
// outcome, which can be undone.
func Linger(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(d, cancel)
		context.AfterFunc(longer, func() { t.Stop() })
	})
	return longer, func() { stop(); cancel() }
}

// Detach returns a context for clean-up that has to be done although ctx ended.
func Detach(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), d)
}

// Expired returns why ctx has ended, or will any moment: [context.DeadlineExceeded] when
// its deadline has passed, also if its timer has not fired yet. Whoever was sent the
// deadline with a call may notice first that the time is over, and answers with an error
// of its own.
func Expired(ctx context.Context) error {
	if at, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(at) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// Pause waits for d and reports whether ctx is still alive.
func Pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
