package plugin

import (
	"context"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
)

// deliverRetry is the wait before the next try with the same host.
const deliverRetry = time.Second

// delivery is the executor.Host that backends see.
type delivery struct {
	logger hclog.Logger

	mu      sync.Mutex
	conn    *transport.Conn
	changed chan struct{} // closed when conn changes
}

var _ executor.Host = (*delivery)(nil)

func newDelivery(logger hclog.Logger) *delivery {
	return &delivery{logger: logger, changed: make(chan struct{})}
}

// connect makes conn the host that is notified.
func (d *delivery) connect(conn *transport.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn == conn {
		return
	}
	d.conn = conn
	close(d.changed)
	d.changed = make(chan struct{})
}

// Exited implements executor.Host.
func (d *delivery) Exited(ctx context.Context, status executor.Status) error {
	return deliver(ctx, d, transport.MethodExited, status.Ref, status)
}

// Released implements executor.Host.
func (d *delivery) Released(ctx context.Context, ref executor.Ref, output executor.Output) error {
	return deliver(ctx, d, transport.MethodReleased, ref, transport.ReleasedRequest{Ref: ref, Output: output})
}

// deliver repeats a report until a host has answered it. It stops, too, at answers
// that another try cannot change.
func deliver[Req any](ctx context.Context, d *delivery, method *transport.Method[Req, transport.None], ref executor.Ref, report Req) error {
	for {
		d.mu.Lock()
		conn, changed := d.conn, d.changed
		d.mu.Unlock()
		var retry <-chan time.Time // nil: wait for a host
		if conn != nil {
			_, err := method.Call(ctx, transport.Client{Conn: conn}, report)
			switch executor.CodeOf(err) {
			case "", executor.NotFound, executor.Invalid, executor.Unsupported:
				return err
			}
			if ctx.Err() == nil {
				d.logger.Debug("host did not take a report", "method", method.Name, "ref", ref.String(), "error", err)
			}
			select {
			case <-conn.Done():
			default:
				retry = time.After(deliverRetry)
			}
		}
		select {
		case <-retry:
		case <-changed:
		case <-ctx.Done():
			return executor.Errorf(executor.CodeOf(ctx.Err()), "%s of %s: %w", method.Name, ref, context.Cause(ctx))
		}
	}
}
