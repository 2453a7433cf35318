package backends

import (
	"context"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// Observer is told of each call. Its method is called by many goroutines, and must return at
// once.
type Observer interface {
	// Called says that a method of a backend was called, how long the caller waited for the
	// answer, and what came of it.
	Called(backend, method string, took time.Duration, err error)
}

// unobserved is the Observer of a Set that has none.
type unobserved struct{}

func (unobserved) Called(string, string, time.Duration, error) {}

// observe tells the observer of a call that began at a time.
func (s *Session) observe(method string, began time.Time, err error) {
	s.set.opts.Observer.Called(s.Backend, method, time.Since(began), err)
}

// Signal implements [executor.Backend], for [executor.Destroy].
func (s *Session) Signal(ctx context.Context, ref executor.Ref, sig executor.Signal) error {
	began := time.Now()
	err := s.Session.Signal(ctx, ref, sig)
	s.observe(transport.MethodSignal.Name, began, err)
	return err
}

// Delete implements [executor.Backend], for [executor.Destroy].
func (s *Session) Delete(ctx context.Context, ref executor.Ref) error {
	began := time.Now()
	err := s.Session.Delete(ctx, ref)
	s.observe(transport.MethodDelete.Name, began, err)
	return err
}
