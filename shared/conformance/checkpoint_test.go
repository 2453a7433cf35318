package conformance

import (
	"context"
	"encoding/json"
	"os"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var checkpoint = transport.MethodCheckpoint.Name

var _ = breaks(
	broken{name: "makes no checkpoint", fails: []string{"checkpoint", "checkpoint-end"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			if method != checkpoint {
				return next(method, body)
			}
			var r transport.CheckpointRequest
			_ = json.Unmarshal(body, &r)
			reply, err := next(method, body)
			if err == nil {
				err = os.RemoveAll(r.Dir)
			}
			return reply, err
		}},
	broken{name: "ends what it leaves running", fails: []string{"checkpoint"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			if method == checkpoint {
				var r transport.CheckpointRequest
				_ = json.Unmarshal(body, &r)
				r.LeaveRunning = false
				body, _ = json.Marshal(r)
			}
			return next(method, body)
		}},
	broken{name: "cannot repeat a checkpoint", fails: []string{"checkpoint", "checkpoint-end"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			var r transport.CheckpointRequest
			if _ = json.Unmarshal(body, &r); method == checkpoint && r.Dir != "" {
				if _, err := os.Stat(r.Dir); err == nil {
					return nil, executor.Errorf(executor.AlreadyExists, "there is one")
				}
			}
			return next(method, body)
		}},
	broken{name: "leaves half a checkpoint when it refuses", fails: []string{"checkpoint", "checkpoint-end"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			var r transport.CheckpointRequest
			if _ = json.Unmarshal(body, &r); method == checkpoint && r.Dir != "" {
				if reply, err := next(method, body); err != nil {
					return reply, err
				}
				return nil, executor.Errorf(executor.FailedPrecondition, "half of it is written")
			}
			return next(method, body)
		}},
	broken{name: "makes checkpoints of what has ended", fails: []string{"checkpoint-ended"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			reply, err := next(method, body)
			if method == checkpoint {
				err = errorAs(err, executor.FailedPrecondition, "")
			}
			return reply, err
		}},
	broken{name: "begins anew instead of from a checkpoint", fails: []string{"checkpoint-missing"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			if method == transport.MethodCreate.Name {
				var w executor.Workload
				_ = json.Unmarshal(body, &w)
				w.Checkpoint = ""
				body, _ = json.Marshal(w)
			}
			return next(method, body)
		}},
)
