package backends

import (
	"context"
	"time"

	"github.com/davit-run/davit/host/internal/supervisor"
	"github.com/davit-run/davit/shared/executor"
)

// sessionWait is how long a call waits for a backend that is starting.
const sessionWait = 10 * time.Second

// Session is a connection to an opened backend; see [supervisor.Session].
type Session struct {
	*supervisor.Session
	// Backend is its name.
	Backend string

	set *Set
}

func (s *Set) session(backend string, session *supervisor.Session) *Session {
	return &Session{Session: session, Backend: backend, set: s}
}

// Session returns the session of a backend. It waits a while for a backend that is
// starting. The error is [executor.Unavailable].
func (s *Set) Session(ctx context.Context, backend string) (*Session, error) {
	b := s.named(backend)
	if b == nil {
		return nil, executor.Errorf(executor.Unavailable, "%s", Removed(backend))
	}
	ctx, cancel := context.WithTimeout(ctx, sessionWait)
	defer cancel()
	session, err := b.Session(ctx)
	if err != nil {
		return nil, err
	}
	return s.session(backend, session), nil
}

// Next waits for a pause and returns a session for another try.
func (s *Session) Next(ctx context.Context, pause time.Duration) (*Session, error) {
	select {
	case <-time.After(pause):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.set.Session(ctx, s.Backend)
}

// abandon ends a session whose executor is broken. Another process replaces it. If that
// does not help, the backend's state becomes failed.
func (s *Session) abandon(reason error) {
	s.set.opts.Logger.Error("the executor is broken and is replaced", "backend", s.Backend, "error", reason)
	s.Abandon(reason)
}
