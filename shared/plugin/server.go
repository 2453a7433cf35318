package plugin

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/keyed"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
)

// Server is one executor process: at most one backend, and the hosts that come
// and go.
type Server struct {
	executor  executor.Executor
	protocols []int // that it speaks
	logger    hclog.Logger
	ids       keyed.Mutex
	yielding  yielders
	host      *delivery
	program   bool // this process is the executor, and nothing else

	opening sync.Mutex // locked during a whole Open or Close
	owner   *os.File   // keeps other processes from opening the backend

	mu      sync.Mutex
	epoch   uint64
	current *transport.Conn
	backend executor.Backend
	env     *executor.Environment
	closed  bool
	expired bool           // the lease of an ephemeral backend
	calls   sync.WaitGroup // calls for the backend; none begins once it expired
	done    chan struct{}  // closed when a close has finished
}

// NewServer returns a Server for e. Its connections are served by [ServeConn].
func NewServer(e executor.Executor, logger hclog.Logger) *Server {
	if logger == nil {
		logger = hclog.NewNullLogger()
	}
	return &Server{executor: e, protocols: transport.Protocols(), logger: logger, host: newDelivery(logger), done: make(chan struct{})}
}

// hello accepts a new connection of a host, and ends that of an older one.
func (s *Server) hello(conn *transport.Conn, h transport.Hello) (transport.HelloReply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.protocols, h.Protocol) {
		return transport.HelloReply{}, transport.Incompatible(
			fmt.Sprintf("executor %s %s", s.executor.Name, s.executor.Version), s.protocols,
			fmt.Sprintf("the host (davit %s)", h.Version), []int{h.Protocol})
	}
	if h.Epoch < s.epoch {
		return transport.HelloReply{}, executor.Errorf(executor.FailedPrecondition, "a newer host (epoch %d) has taken over from this one (epoch %d), or this one's state was put back to an older one", s.epoch, h.Epoch)
	}
	s.epoch = h.Epoch
	if s.expired {
		return transport.HelloReply{}, errClosed()
	}
	if s.current != conn {
		if s.current != nil {
			go func(old *transport.Conn) { _ = old.Close() }(s.current)
		}
		go s.lease(conn)
	}
	s.current = conn
	s.host.connect(conn)
	return transport.HelloReply{
		Protocol:    h.Protocol,
		PID:         os.Getpid(),
		Description: s.executor.Describe(),
		Opened:      s.env,
	}, nil
}

func (s *Server) open(ctx context.Context, env executor.Environment) (transport.OpenReply, error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	s.mu.Lock()
	backend, opened, closed := s.backend, s.env, s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return transport.OpenReply{}, errClosed()
	case opened != nil && !reflect.DeepEqual(*opened, env):
		return transport.OpenReply{}, executor.Errorf(executor.FailedPrecondition, "backend %s is open with other settings; restart the executor to change them", opened.Backend)
	case opened == nil:
		if err := s.validate(env.Settings); err != nil {
			return transport.OpenReply{}, err
		}
		var err error
		if s.program && s.owner == nil {
			if s.owner, err = own(env.StateDir); err != nil {
				return transport.OpenReply{}, err
			}
		}
		if backend, err = s.executor.Open(ctx, env, s.host); err != nil {
			return transport.OpenReply{}, err
		}
		s.mu.Lock()
		s.backend, s.env = backend, &env
		s.mu.Unlock()
	}
	return transport.OpenReply{Capabilities: executor.Capabilities(backend)}, nil
}

// validate returns an error for settings that a host should have refused.
func (s *Server) validate(settings executor.Settings) error {
	if s.executor.Validate == nil {
		return nil
	}
	for _, d := range s.executor.Validate(settings) {
		if d.Severity == executor.SeverityError {
			return executor.Errorf(executor.Invalid, "%s: %s; %s", strings.Join(d.Path, "."), d.Message, d.Hint)
		}
	}
	return nil
}

// close closes the backend if one is open. Nothing can be called afterwards.
func (s *Server) close(ctx context.Context) error {
	s.opening.Lock()
	defer s.opening.Unlock()
	s.mu.Lock()
	backend, closed := s.backend, s.closed
	s.backend, s.closed = nil, true
	s.mu.Unlock()
	if closed {
		return nil
	}
	defer close(s.done)
	if s.owner != nil {
		defer s.owner.Close()
	}
	if backend == nil || !executor.Offers(backend, executor.CapClose) {
		return nil
	}
	return backend.(executor.Closer).Close(hclog.WithContext(ctx, s.logger))
}

// opened returns the backend for a call that came over conn, and counts the call in
// s.calls if there is no error.
func (s *Server) opened(conn *transport.Conn) (executor.Backend, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed || s.expired:
		return nil, errClosed()
	case s.current != conn:
		return nil, executor.Errorf(executor.FailedPrecondition, "this connection has not said hello, or a newer host has taken over")
	case s.backend == nil:
		return nil, executor.Errorf(executor.FailedPrecondition, "the backend is not open yet")
	}
	s.calls.Add(1)
	return s.backend, nil
}

func errClosed() error {
	return executor.Errorf(executor.Unavailable, "the executor is shutting down")
}
