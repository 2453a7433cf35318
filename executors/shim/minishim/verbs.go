package minishim

import (
	"context"

	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/ttrpc"
)

// verb returns the method of a service that serves one verb of the task API.
type verb func(*service) ttrpc.Method

// verbs are those of the task API that are served.
func verbs() map[string]verb {
	return map[string]verb{
		"Create":     lasting((*service).create),
		"Start":      lasting((*service).start),
		"State":      brief((*service).state),
		"Wait":       brief((*service).wait),
		"Connect":    brief((*service).connect),
		"Kill":       lasting((*service).kill),
		"Pause":      lasting((*service).pause),
		"Resume":     lasting((*service).resume),
		"Pids":       brief((*service).pids),
		"Stats":      brief((*service).stats),
		"Update":     lasting((*service).update),
		"Exec":       brief((*service).exec),
		"ResizePty":  brief((*service).resizePty),
		"CloseIO":    brief((*service).closeIO),
		"Checkpoint": lasting((*service).checkpoint),
		"Delete":     lasting((*service).delete),
		"Shutdown":   brief((*service).stop),
	}
}

// register adds the verbs to a server.
func (s *service) register(server *ttrpc.Server) {
	methods := make(map[string]ttrpc.Method)
	for name, verb := range verbs() {
		methods[name] = verb(s)
	}
	server.RegisterService("containerd.task.v3.Task", &ttrpc.ServiceDesc{Methods: methods})
}

// brief returns a verb that changes nothing, or does not take long.
func brief[Req, Resp any](call func(*service, context.Context, *Req) (*Resp, error)) verb {
	return func(s *service) ttrpc.Method {
		return func(ctx context.Context, unmarshal func(any) error) (any, error) {
			req := new(Req)
			if err := unmarshal(req); err != nil {
				return nil, err
			}
			resp, err := call(s, ctx, req)
			if err != nil {
				return nil, errgrpc.ToGRPC(err)
			}
			return resp, nil
		}
	}
}

// lasting returns a verb that continues when its caller is gone, until the caller's
// deadline: an executor that was killed must not abort a start half-way.
func lasting[Req, Resp any](call func(*service, context.Context, *Req) (*Resp, error)) verb {
	return brief(func(s *service, ctx context.Context, req *Req) (*Resp, error) {
		last := context.WithoutCancel(ctx)
		if deadline, ok := ctx.Deadline(); ok {
			var cancel context.CancelFunc
			last, cancel = context.WithDeadline(last, deadline)
			defer cancel()
		}
		return call(s, last, req)
	})
}
