package supervisor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// Session is a connection to an opened backend. It ends with the connection or the
// process; the next process has a new Session.
type Session struct {
	transport.Client
	Description executor.Description

	fault      atomic.Pointer[error]
	badReplies atomic.Int32

	mu    sync.Mutex
	calls int              // under way
	stuck map[string]error // by what the calls were about
}

// Enter counts a call that begins. Call leave when it has ended. If it was the last one,
// and the executor is stuck with something, leave returns with what: nobody else is
// served by this process then.
func (s *Session) Enter() (leave func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	return func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.calls--; s.calls > 0 {
			return nil
		}
		for _, reason := range s.stuck {
			return reason
		}
		return nil
	}
}

// Stuck records whether the executor is stuck with what a call was about: a container, or
// nothing in particular (""). A nil reason means that it is not.
func (s *Session) Stuck(about string, reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.stuck, about)
	if reason == nil {
		return
	}
	if s.stuck == nil {
		s.stuck = map[string]error{}
	}
	s.stuck[about] = reason
}

// CountBadReply counts a malformed reply, and returns how many there were.
func (s *Session) CountBadReply() int { return int(s.badReplies.Add(1)) }

// Ended reports whether the connection has ended.
func (s *Session) Ended() bool {
	select {
	case <-s.Done():
		return true
	default:
		return false
	}
}

// Abandon ends the connection to an executor that is broken, because of reason. The
// supervisor kills its process and starts another.
func (s *Session) Abandon(reason error) {
	s.fault.CompareAndSwap(nil, &reason)
	_ = s.Close()
}

// closeBackend asks an executor to end in good order.
func closeBackend(ctx context.Context, c transport.Client) error {
	_, err := transport.MethodClose.Call(ctx, c, transport.None{})
	return err
}

// ending returns why the connection has ended. Call it after the connection has ended.
func (s *Session) ending() error {
	if reason := s.fault.Load(); reason != nil {
		return fmt.Errorf("the executor is broken: %w", *reason)
	}
	return errors.New("the connection to the executor broke")
}
