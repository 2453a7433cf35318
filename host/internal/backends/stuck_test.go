package backends

import (
	"errors"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// An executor that never answers a call about one container is kept while it serves
// others, and replaced when it does not. One whose answer comes late is kept.
func TestStuckExecutorIsReplacedWhenItIsIdle(t *testing.T) {
	s := start(t, "memory")
	session, err := s.Session(t.Context(), "memory")
	if err != nil {
		t.Fatal(err)
	}
	stuck := func(session *Session, about string) {
		t.Helper()
		leave := session.Enter()
		session.Stuck(about, transport.ErrNoAnswer)
		if reason := leave(); reason != nil {
			session.abandon(reason)
		}
	}
	list := func(session *Session) {
		t.Helper()
		if _, err := On(t.Context(), session, transport.MethodList, transport.None{}); err != nil {
			t.Error(err)
		}
	}
	leave := session.Enter() // another's call
	stuck(session, "a")
	list(session)
	if session.Ended() {
		t.Fatal("the executor was replaced while it served somebody else")
	}
	ref := executor.Ref{ID: "a", Attempt: 1}
	if _, err := On(t.Context(), session, transport.MethodDelete, ref); err != nil { // answers for it after all
		t.Error(err)
	}
	if reason := leave(); reason != nil {
		t.Errorf("it answers again, and is stuck all the same: %v", reason)
	}

	leave = session.Enter()
	stuck(session, "a")
	if reason := leave(); !errors.Is(reason, transport.ErrNoAnswer) {
		t.Errorf("the last call has ended: got %v, want that it is stuck", reason)
	}
	stuck(session, "b")
	<-session.Done()
	if _, err := Call(t.Context(), s, "memory", transport.MethodList, transport.None{}); err != nil {
		t.Errorf("the next executor: %v", err)
	}
}
