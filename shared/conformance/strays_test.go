package conformance

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = breaks(
	broken{name: "sees no strays", fails: []string{"strays", "stray-adopt", "stray-remove"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			if method == transport.MethodStrays.Name {
				return []executor.Stray(nil), nil
			}
			return next(method, body)
		}},
	broken{name: "adopts no strays", fails: []string{"stray-adopt"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			if method == transport.MethodStrayAdopt.Name {
				return executor.Status{}, executor.Errorf(executor.Internal, "no")
			}
			return next(method, body)
		}},
	broken{name: "removes no strays", fails: []string{"stray-remove"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			if method == transport.MethodStrayRemove.Name {
				return transport.None{}, nil
			}
			return next(method, body)
		}},
)
