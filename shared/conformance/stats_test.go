package conformance

import (
	"context"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = breaks(
	broken{name: "measures before it is asked", fails: []string{"stats"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			reply, err := next(method, body)
			if stats, ok := reply.(executor.Stats); ok {
				stats.At = stats.At.Add(-time.Minute)
				reply = stats
			}
			return reply, err
		}},
	broken{name: "measures what has ended", fails: []string{"stats-ended"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			reply, err := next(method, body)
			if method == transport.MethodStats.Name && executor.CodeOf(err) == executor.FailedPrecondition {
				return executor.Stats{At: time.Now()}, nil
			}
			return reply, err
		}},
)
