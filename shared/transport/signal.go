package transport

import (
	"context"
	"syscall"

	"github.com/davit-run/davit/shared/executor"
)

// SignalRequest is the body of MethodSignal.
type SignalRequest struct {
	Ref    executor.Ref    `json:"ref"`
	Signal executor.Signal `json:"signal"`
}

// MethodSignal calls [executor.Backend.Signal].
var MethodSignal = define(Method[SignalRequest, None]{
	Name:     "signal",
	Doc:      "sends a signal to a process",
	Lock:     LockProcess,
	Limit:    Act,
	Ref:      func(r SignalRequest) executor.Ref { return r.Ref },
	Preempts: func(r SignalRequest) bool { return r.Signal == syscall.SIGKILL },
	Check: func(r SignalRequest) error {
		if r.Signal < 1 || r.Signal > 64 {
			return executor.Errorf(executor.Invalid, "signal %d is not within 1 to 64", int(r.Signal))
		}
		return nil
	},
	Serve: func(ctx context.Context, b executor.Backend, r SignalRequest) (None, error) {
		return None{}, b.Signal(ctx, r.Ref, r.Signal)
	},
})

// Signal implements executor.Backend.
func (c Client) Signal(ctx context.Context, ref executor.Ref, sig executor.Signal) error {
	_, err := MethodSignal.Call(ctx, c, SignalRequest{ref, sig})
	return err
}
