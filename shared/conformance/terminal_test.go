package conformance

import (
	"context"

	"github.com/davit-run/davit/shared/transport"
)

var _ = breaks(
	broken{name: "resizes nothing", fails: []string{"terminal-size", "terminal-restart", "resize-codes"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			if method == transport.MethodResize.Name {
				return transport.None{}, nil
			}
			return next(method, body)
		}},
)
