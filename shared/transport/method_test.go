package transport

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// TestLimit checks who gives up first: a peer that minds its deadline says so in time
// for its answer to count, and one that does not is found to hang.
func TestLimit(t *testing.T) {
	for name, c := range map[string]struct {
		// limit leaves the answer a second to come, where there is one: a quarter.
		limit time.Duration
		code  executor.Code
		hangs bool
	}{
		"minds its deadline": {4 * time.Second, executor.DeadlineExceeded, false},
		"hangs":              {100 * time.Millisecond, executor.OutcomeUnknown, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it sleeps
			slow := Method[None, string]{Name: "slow", Limit: c.limit}
			done := make(chan struct{})
			defer close(done)
			host, _ := pair(t, nil, Handlers{"slow": func(ctx context.Context, _ []byte) (any, error) {
				if c.hangs {
					<-done
				} else {
					<-ctx.Done()
				}
				return nil, ctx.Err()
			}})
			_, err := slow.Call(t.Context(), Client{Conn: host}, None{})
			if executor.CodeOf(err) != c.code || errors.Is(err, ErrNoAnswer) != c.hangs || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the code %s, and to hang: %t", err, c.code, c.hangs)
			}
		})
	}
}

// TestCallNeverSendsWhatIsNotOffered keeps refs of execs and streams from executors
// that would not know the fields.
func TestCallNeverSendsWhatIsNotOffered(t *testing.T) {
	host, _ := pair(t, nil, Handlers{MethodSignal.Name: func(context.Context, []byte) (any, error) {
		t.Error("it was sent")
		return None{}, nil
	}})
	c := Client{Conn: host, Capabilities: []executor.Capability{executor.CapPause}}
	if err := c.Signal(t.Context(), executor.Ref{ID: "a", Attempt: 1, Exec: "x"}, 9); !errors.Is(err, executor.Unsupported) {
		t.Errorf("signal to an exec: got %v, want unsupported", err)
	}
	_, err := MethodCheck.Call(t.Context(), c, None{})
	if !errors.Is(err, executor.Unsupported) {
		t.Errorf("a method that is not offered: got %v, want unsupported", err)
	}
}

// A caller's own limit replaces that of the method, and leaves the peer time to undo what
// it has begun.
func TestWithin(t *testing.T) {
	for _, tt := range []struct{ own, limit, patience time.Duration }{
		{0, Act, Act + Act/4},
		{time.Second, time.Second, 31 * time.Second},
		{time.Hour, time.Hour, 75 * time.Minute},
	} {
		ctx := t.Context()
		if tt.own > 0 {
			ctx = Within(ctx, tt.own)
		}
		if limit, patience := limits(ctx, Act); limit != tt.limit || patience != tt.patience {
			t.Errorf("own limit %s: got %s and %s, want %s and %s", tt.own, limit, patience, tt.limit, tt.patience)
		}
	}
	var timeout int64
	host, _ := pair(t, nil, Handlers{"slow": func(ctx context.Context, _ []byte) (any, error) {
		deadline, _ := ctx.Deadline()
		timeout = int64(time.Until(deadline))
		return "", nil
	}})
	slow := Method[None, string]{Name: "slow", Limit: time.Minute}
	if _, err := slow.Call(Within(t.Context(), time.Hour), Client{Conn: host}, None{}); err != nil || timeout < int64(30*time.Minute) {
		t.Errorf("got %v and a deadline in %s, want an hour", err, time.Duration(timeout))
	}
}
