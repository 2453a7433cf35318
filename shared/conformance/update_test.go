package conformance

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var update = transport.MethodUpdate.Name

var _ = breaks(
	broken{name: "updates nothing", fails: []string{"update", "update-restart"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			reply, err := next(method, body)
			if stats, ok := reply.(executor.Stats); ok {
				stats.MemoryLimit, stats.TasksLimit = nil, nil
				reply = stats
			}
			return reply, err
		}},
	broken{name: "updates with anything", fails: []string{"update-invalid"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			reply, err := next(method, body)
			if method == update && executor.CodeOf(err) == executor.Invalid {
				return transport.None{}, nil
			}
			return reply, err
		}},
	broken{name: "updates what has ended", fails: []string{"update-ended"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			reply, err := next(method, body)
			if method == update {
				err = errorAs(err, executor.FailedPrecondition, "")
			}
			return reply, err
		}},
)
