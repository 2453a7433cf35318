package plugin

import (
	"context"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

const (
	// leaseGrace is how long an ephemeral backend outlives the connection to its
	// host. A living host that lost its connection comes back sooner.
	leaseGrace = 2 * time.Second
	// destroyTimeout bounds the destruction of all workloads, destroyCalls the wait
	// for calls under way before it.
	destroyTimeout = time.Minute
	destroyCalls   = 10 * time.Second
	// destroyParallel is how many workloads are destroyed at once.
	destroyParallel = 16
)

// lease ends this process, and its workloads if the backend is ephemeral, when the
// host of a connection is gone and no other has come.
func (s *Server) lease(conn *transport.Conn) {
	select {
	case <-conn.Done():
	case <-s.done:
		return
	}
	if s.unattended(conn, false) == nil {
		return
	}
	select {
	case <-time.After(leaseGrace):
	case <-s.done:
		return
	}
	backend := s.unattended(conn, true)
	if backend == nil {
		return
	}
	s.logger.Info("the host is gone; its workloads are destroyed")
	ctx, cancel := context.WithTimeout(context.Background(), destroyTimeout)
	defer cancel()
	s.awaitCalls(destroyCalls)
	if err := destroyAll(ctx, backend); err != nil {
		s.logger.Error("workloads could not be destroyed; the next host of this backend does it", "error", err)
	}
	if err := s.close(ctx); err != nil {
		s.logger.Error("closing the backend failed", "error", err)
	}
}

// unattended returns the backend if it is ephemeral and conn was its last connection,
// else nil. With expire, no host may use the backend from then on.
func (s *Server) unattended(conn *transport.Conn, expire bool) executor.Backend {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != conn || s.backend == nil || !s.env.Ephemeral {
		return nil
	}
	s.expired = expire
	return s.backend
}

// awaitCalls waits until no call is under way. The lease has expired, so no new ones
// begin.
func (s *Server) awaitCalls(most time.Duration) {
	over := make(chan struct{})
	go func() {
		s.calls.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(most):
	}
}

func destroyAll(ctx context.Context, b executor.Backend) error {
	all, err := b.List(ctx)
	if err != nil {
		return err
	}
	errs := make(chan error, len(all)+1)
	slots := make(chan struct{}, destroyParallel)
	var wg sync.WaitGroup
	for _, status := range all {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs <- executor.Destroy(ctx, b, status.Ref)
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
