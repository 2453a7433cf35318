package backends

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// noted is an Observer that notes calls and the codes of their errors.
type noted struct {
	mu  sync.Mutex
	all []string
}

func (n *noted) Called(backend, method string, took time.Duration, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if took < 0 {
		method = "backwards in time"
	}
	n.all = append(n.all, backend+" "+method+" "+string(executor.CodeOf(err)))
}

// TestCallsAreObserved calls through each way that leads to an executor.
func TestCallsAreObserved(t *testing.T) {
	s := start(t, "memory")
	var n noted
	s.opts.Observer = &n
	session, err := s.Session(t.Context(), "memory")
	if err != nil {
		t.Fatal(err)
	}
	ref := executor.Ref{ID: "a", Attempt: 1}
	_, _ = Call(t.Context(), s, "memory", transport.MethodPause, ref)
	_, _ = On(t.Context(), session, transport.MethodList, transport.None{})
	_ = executor.Destroy(t.Context(), session, ref)
	_ = session.Signal(t.Context(), ref, 9)
	want := []string{"memory pause not_found", "memory list ", "memory delete ", "memory signal not_found"}
	if !slices.Equal(n.all, want) {
		t.Errorf("got %q", n.all)
	}
}
