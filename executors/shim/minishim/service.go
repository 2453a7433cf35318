package minishim

import (
	"context"
	"fmt"
	"sync"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/shared/executor"
	"google.golang.org/protobuf/types/known/emptypb"
)

// service serves the task API for one container.
type service struct {
	namespace string
	output    []executor.Stream // see Assignment
	shutdown  chan struct{}
	reaper    *reaper

	mu        sync.Mutex // locked while the container is created
	container *container // nil before it is made, and after it is deleted
	down      bool
}

func newService(a Assignment) *service {
	return &service{namespace: a.Namespace, output: a.Output, shutdown: make(chan struct{}), reaper: newReaper()}
}

// stream returns what is known of the stream with a path.
func (s *service) stream(path string) executor.Stream {
	for _, known := range s.output {
		if known.Path == path {
			return known
		}
	}
	return executor.Stream{Path: path}
}

// get returns the container. It waits while the container is being created.
func (s *service) get(id string) (*container, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.container == nil || s.container.id != id {
		return nil, fmt.Errorf("container %s: %w", id, errdefs.ErrNotFound)
	}
	return s.container, nil
}

// find returns the container and one of its processes.
func (s *service) find(id, exec string) (*container, *process, error) {
	c, err := s.get(id)
	if err != nil {
		return nil, nil, err
	}
	p, err := c.process(exec)
	return c, p, err
}

// stop ends the shim, unless there is a container.
func (s *service) stop(context.Context, *taskapi.ShutdownRequest) (*emptypb.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.container == nil && !s.down {
		s.down = true
		close(s.shutdown)
	}
	return &emptypb.Empty{}, nil
}
