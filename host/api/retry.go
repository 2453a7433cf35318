package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// While a host is away, the client tries to connect after comebackMin, and then less and
// less often, at least every comebackMax.
const (
	comebackMin = 20 * time.Millisecond
	comebackMax = time.Second
)

// goneError is the error of a call whose host went away before the call was done.
type goneError struct{ err error }

func (e *goneError) Error() string { return e.err.Error() }
func (e *goneError) Unwrap() error { return e.err }

// absentError is the error of a call for which there was no host.
type absentError struct{ err error }

func (e *absentError) Error() string { return e.err.Error() }
func (e *absentError) Unwrap() error { return e.err }

// Unreachable reports whether an error means that there was no host, or that it went away
// before it had answered.
func Unreachable(err error) bool {
	_, gone := errors.AsType[*goneError](err)
	_, absent := errors.AsType[*absentError](err)
	return gone || absent
}

// outage is a time without a host. Concurrent calls share it, so that it is reported
// once.
type outage struct {
	mu    sync.Mutex
	begun time.Time // zero while there is a host
}

// retry calls do, and calls it again each time that the host went away during the call
// and is back within Patience. do must be safe to repeat.
func (c *Client) retry(ctx context.Context, do func() error) error {
	err := do()
	for away := false; ; {
		_, gone := errors.AsType[*goneError](err)
		_, absent := errors.AsType[*absentError](err)
		if c.Patience <= 0 || !gone && !(absent && away) || ctx.Err() != nil {
			return err
		}
		away = true
		if err := c.comeback(ctx, err); err != nil {
			return err
		}
		err = do()
	}
}

// comeback waits until a host that went away, because of reason, accepts connections
// again.
func (c *Client) comeback(ctx context.Context, reason error) error {
	begun := c.leave(reason)
	for wait := comebackMin; ; wait = min(2*wait, comebackMax) {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		if c.answers(ctx) {
			c.enter()
			return nil
		}
		if time.Since(begun) > c.Patience {
			return executor.Errorf(executor.CodeOf(reason), "%w; it has not come back within %s", reason, c.Patience)
		}
	}
}

// answers reports whether a host answers. That of one which is being killed still accepts
// connections, and says nothing on them. One that starts may answer late, and within Patience.
func (c *Client) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	conn, err := c.dial(ctx, "", "")
	if err != nil {
		return false
	}
	_ = conn.Close()
	_, err = c.Version(ctx)
	return !Unreachable(err) && ctx.Err() == nil
}

// leave records that the host is away, and returns since when.
func (c *Client) leave(reason error) time.Time {
	o := &c.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.begun.IsZero() {
		o.begun = time.Now()
		if c.Gone != nil {
			c.Gone(reason)
		}
	}
	return o.begun
}

// enter records that the host is back.
func (c *Client) enter() {
	o := &c.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.begun.IsZero() {
		o.begun = time.Time{}
		if c.Back != nil {
			c.Back()
		}
	}
}
