package supervisor

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// Session is a connection to an opened backend. When the connection or the
// process ends the next one gets a new Session.
type Session struct {
	transport.Client
	Description  executor.Description
	Capabilities []executor.Capability

	fault atomic.Pointer[error]
}

// Ended reports whether the connection has ended.
func (s *Session) Ended() bool {
	select {
	case <-s.Done():
		return true
	default:
		return false
	}
}

// Abandon ends the connection to an executor that is broken, for the reason given.
// Its process is killed, and another one started.
func (s *Session) Abandon(reason error) {
	s.fault.CompareAndSwap(nil, &reason)
	_ = s.Close()
}

// ending says why the connection has ended, after it has.
func (s *Session) ending() error {
	if reason := s.fault.Load(); reason != nil {
		return fmt.Errorf("the executor is broken: %w", *reason)
	}
	return errors.New("the connection to the executor broke")
}
