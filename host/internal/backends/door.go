package backends

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/trace"
	"github.com/davit-run/davit/shared/transport"
)

// repeatPause is the wait before a call that changes nothing is repeated.
const repeatPause = 50 * time.Millisecond

// maxBadReplies is the number of malformed replies after which an executor is replaced.
const maxBadReplies = 3

// Call calls a method of a backend. It waits a while for a backend that is starting. It
// repeats a method that changes nothing if the executor died meanwhile.
func Call[Req, Reply any](ctx context.Context, s *Set, backend string, method *transport.Method[Req, Reply], req Req) (Reply, error) {
	var none Reply
	session, err := s.Session(ctx, backend)
	for err == nil {
		reply, err := On(ctx, session, method, req)
		if err == nil || method.Lock != transport.LockNone || !session.Ended() {
			return reply, err
		}
		if session, err = session.Next(ctx, repeatPause); err != nil {
			return none, err
		}
	}
	return none, err
}

// On calls a method on a session. Besides the errors of [transport.Method.Call] it
// returns [executor.Unsupported], which names the backends that offer the method.
func On[Req, Reply any](ctx context.Context, s *Session, method *transport.Method[Req, Reply], req Req) (Reply, error) {
	if err := s.Require(method.Required(req)); err != nil {
		var none Reply
		return none, err
	}
	about := ""
	if method.Ref != nil {
		about = method.Ref(req).ID
	}
	leave := s.Enter()
	began := time.Now()
	ctx, span := trace.StartCall(ctx, "executor."+method.Name, "davit-executor-"+s.Description.Name)
	span.Set("davit.backend", s.Backend)
	reply, err := method.Call(ctx, s, req)
	span.End(err)
	s.observe(method.Name, began, err)
	switch {
	case errors.Is(err, transport.ErrNoAnswer), errors.Is(err, executor.OutcomeUnknown) && time.Since(began) >= method.Limit && ctx.Err() == nil && !method.Yields:
		s.Stuck(about, err)
	case errors.Is(err, transport.ErrBadReply):
		if s.CountBadReply()%maxBadReplies == 0 {
			s.abandon(err)
		}
	case !errors.Is(err, executor.OutcomeUnknown) && !errors.Is(err, executor.Unavailable):
		s.Stuck(about, nil)
	}
	if reason := leave(); reason != nil {
		s.abandon(fmt.Errorf("it is stuck: %w", reason))
	}
	return reply, err
}

// Require returns [executor.Unsupported], which names the backends that do, if the backend
// lacks one of the capabilities.
func (s *Session) Require(needs []executor.Capability) error {
	for _, need := range needs {
		if !s.Offers(need) {
			return s.lacks(need)
		}
	}
	return nil
}

// lacks returns the error for a capability that a backend does not have.
func (s *Session) lacks(c executor.Capability) error {
	remedy := "no backend of this host does"
	var others []string
	all := s.set.byName()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if slices.Contains(all[name].Info().Capabilities, c) {
			others = append(others, name)
		}
	}
	switch len(others) {
	case 0:
	case 1:
		remedy = "backend " + others[0] + " does"
	default:
		remedy = "these do: " + strings.Join(others, ", ")
	}
	return executor.Errorf(executor.Unsupported, "backend %s (executor %s) does not offer %s; %s", s.Backend, s.Description.Name, c, remedy)
}
