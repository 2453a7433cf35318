package minishim

import (
	"context"
	"fmt"
	"sync"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/ttrpc"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// service serves the task API for one container.
type service struct {
	namespace string
	shutdown  chan struct{}
	reaper    reaper

	mu        sync.Mutex // held while the container is made, started or deleted
	container *container // nil before it is made, and after it is deleted
	down      bool
}

func newService(namespace string) *service {
	s := &service{namespace: namespace, shutdown: make(chan struct{})}
	go s.reaper.run()
	return s
}

// register adds the methods that the executor calls.
func (s *service) register(server *ttrpc.Server) {
	server.RegisterService("containerd.task.v3.Task", &ttrpc.ServiceDesc{Methods: map[string]ttrpc.Method{
		"Create":   method(lasting(s.create)),
		"Start":    method(lasting(s.start)),
		"State":    method(s.state),
		"Wait":     method(s.wait),
		"Kill":     method(lasting(s.kill)),
		"Delete":   method(lasting(s.delete)),
		"Shutdown": method(s.stop),
	}})
}

// method makes a method of ttrpc.
func method[Req, Resp any](call func(context.Context, *Req) (*Resp, error)) ttrpc.Method {
	return func(ctx context.Context, unmarshal func(any) error) (any, error) {
		req := new(Req)
		if err := unmarshal(req); err != nil {
			return nil, err
		}
		resp, err := call(ctx, req)
		if err != nil {
			return nil, errgrpc.ToGRPC(err)
		}
		return resp, nil
	}
}

// lasting keeps a call going when the caller is gone, until the caller's deadline:
// an executor that was killed must not take a half-made start with it.
func lasting[Req, Resp any](call func(context.Context, *Req) (*Resp, error)) func(context.Context, *Req) (*Resp, error) {
	return func(ctx context.Context, req *Req) (*Resp, error) {
		last := context.WithoutCancel(ctx)
		if deadline, ok := ctx.Deadline(); ok {
			var cancel context.CancelFunc
			last, cancel = context.WithDeadline(last, deadline)
			defer cancel()
		}
		return call(last, req)
	}
}

func (s *service) create(ctx context.Context, r *taskapi.CreateTaskRequest) (*taskapi.CreateTaskResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.container != nil || s.down {
		return nil, fmt.Errorf("container %s: %w", r.GetID(), errdefs.ErrAlreadyExists)
	}
	c, err := newContainer(ctx, s.namespace, &s.reaper, r)
	if err != nil {
		return nil, err
	}
	s.container = c
	return &taskapi.CreateTaskResponse{Pid: uint32(c.pid)}, nil
}

func (s *service) start(ctx context.Context, r *taskapi.StartRequest) (*taskapi.StartResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.find(r.GetID())
	if err != nil {
		return nil, err
	}
	return &taskapi.StartResponse{Pid: uint32(c.pid)}, c.start(ctx)
}

// find gives the container. The caller holds the lock.
func (s *service) find(id string) (*container, error) {
	if s.container == nil || s.container.id != id {
		return nil, fmt.Errorf("container %s: %w", id, errdefs.ErrNotFound)
	}
	return s.container, nil
}

func (s *service) get(id string) (*container, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(id)
}

func (s *service) state(_ context.Context, r *taskapi.StateRequest) (*taskapi.StateResponse, error) {
	c, err := s.get(r.GetID())
	if err != nil {
		return nil, err
	}
	resp := &taskapi.StateResponse{ID: c.id, Bundle: c.bundle, Pid: uint32(c.pid), Status: tasktypes.Status_CREATED}
	if c.started.Load() {
		resp.Status = tasktypes.Status_RUNNING
	}
	if c.ended() {
		resp.Status, resp.ExitStatus, resp.ExitedAt = tasktypes.Status_STOPPED, c.exit.Status, timestamppb.New(c.exit.Timestamp)
	}
	return resp, nil
}

func (s *service) wait(ctx context.Context, r *taskapi.WaitRequest) (*taskapi.WaitResponse, error) {
	c, err := s.get(r.GetID())
	if err != nil {
		return nil, err
	}
	select {
	case <-c.exited:
		return &taskapi.WaitResponse{ExitStatus: c.exit.Status, ExitedAt: timestamppb.New(c.exit.Timestamp)}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *service) kill(ctx context.Context, r *taskapi.KillRequest) (*emptypb.Empty, error) {
	c, err := s.get(r.GetID())
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, c.kill(ctx, unix.Signal(r.GetSignal()), r.GetAll())
}

func (s *service) delete(ctx context.Context, r *taskapi.DeleteRequest) (*taskapi.DeleteResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.find(r.GetID())
	if err != nil {
		return nil, err
	}
	if err := c.delete(ctx); err != nil {
		return nil, err
	}
	s.container = nil
	return &taskapi.DeleteResponse{Pid: uint32(c.pid), ExitStatus: c.exit.Status, ExitedAt: timestamppb.New(c.exit.Timestamp)}, nil
}

// stop ends the process, unless there is a container.
func (s *service) stop(context.Context, *taskapi.ShutdownRequest) (*emptypb.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.container == nil && !s.down {
		s.down = true
		close(s.shutdown)
	}
	return &emptypb.Empty{}, nil
}
