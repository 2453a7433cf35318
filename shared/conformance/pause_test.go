package conformance

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var (
	pause  = transport.MethodPause.Name
	resume = transport.MethodResume.Name
)

var _ = breaks(
	broken{name: "pauses nothing", fails: []string{"pause", "pause-restart", "exec-paused"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			reply, err := next(method, body)
			if method == pause && err == nil {
				_, err = next(resume, body)
			}
			return reply, err
		}},
	broken{name: "does not list what is paused as such", fails: []string{"pause", "pause-restart"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			reply, err := next(method, body)
			if all, ok := reply.([]executor.Status); ok {
				for i := range all {
					if all[i].State == executor.Paused {
						all[i].State = executor.Running
					}
				}
			}
			return reply, err
		}},
	broken{name: "resumes nothing", fails: []string{"pause", "pause-restart", "resume", "exec-paused"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			if method == resume {
				var ref executor.Ref
				_ = json.Unmarshal(body, &ref)
				all, _ := next(transport.MethodList.Name, []byte("{}"))
				paused := func(s executor.Status) bool { return s.Ref == ref && s.State == executor.Paused }
				if slices.ContainsFunc(all.([]executor.Status), paused) {
					return transport.None{}, nil
				}
			}
			return next(method, body)
		}},
	broken{name: "lets paused workloads outlive SIGKILL", fails: []string{"pause-kill"},
		call: func() intercept {
			var paused sync.Map // of refs
			return func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
				var req transport.SignalRequest
				_ = json.Unmarshal(body, &req)
				var ref executor.Ref
				switch method {
				case pause:
					_ = json.Unmarshal(body, &ref)
					paused.Store(ref, true)
				case transport.MethodSignal.Name:
					if _, is := paused.Load(req.Ref); is {
						return transport.None{}, nil
					}
				}
				return next(method, body)
			}
		}()},
	broken{name: "pauses what has ended", fails: []string{"pause-ended"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			reply, err := next(method, body)
			if method == pause {
				err = errorAs(err, executor.FailedPrecondition, "")
			}
			return reply, err
		}},
)
