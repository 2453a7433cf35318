package conformance

import (
	"context"
	"encoding/json"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var closeInput = transport.MethodCloseInput.Name

var _ = breaks(
	broken{name: "has no input open but that of the first writer", fails: []string{"stdin", "stdin-restart", "terminal-input"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			reply, err := next(method, body)
			var w executor.Workload
			_ = json.Unmarshal(body, &w)
			if method == create && err == nil && w.Stdio.Stdin.Kind != executor.StreamNull {
				ref, _ := json.Marshal(w.Ref)
				_, err = next(closeInput, ref)
				err = errorAs(err, executor.FailedPrecondition, "") // it has ended at once
			}
			return reply, err
		}},
	broken{name: "closes the input of what has ended", fails: []string{"stdin-codes"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			reply, err := next(method, body)
			if method == closeInput && executor.CodeOf(err) == executor.FailedPrecondition {
				return transport.None{}, nil
			}
			return reply, err
		}},
)
