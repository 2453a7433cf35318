package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// subject is a backend of the executor under test, through all restarts of the
// executor and of the host.
type subject struct {
	t    *trial
	link link
	env  executor.Environment
	host *testHost
	// caller calls what was opened last; see do.
	caller       transport.Caller
	capabilities []executor.Capability
	// ran says that the executor was started at all, runs that it is up.
	ran, runs bool
}

// open returns a backend on a system that has nothing of it.
func (t *trial) open() *subject { return t.openAs("host-"+t.token, "one") }

// openAs is open with a host id and a backend's name.
func (t *trial) openAs(hostID, backend string) *subject {
	s := t.prepare(hostID, backend)
	s.start()
	if t.capability != "" {
		s.need(t.capability)
	}
	return s
}

// prepare returns a subject that is not started.
func (t *trial) prepare(hostID, backend string) *subject {
	s := &subject{t: t, link: t.newLink(), env: executor.Environment{
		HostID:   hostID,
		Backend:  backend,
		StateDir: t.subdir("s"),
		RunDir:   t.subdir("r"),
		Settings: t.target.Settings,
	}}
	t.subjects = append(t.subjects, s)
	return s
}

// start starts the executor and connects a new host to it.
func (s *subject) start() {
	s.t.must(s.link.start(), "starting the executor")
	s.ran, s.runs = true, true
	s.connect(newTestHost())
}

// connect connects host.
func (s *subject) connect(host *testHost) {
	s.host = host
	_, err := call(s.t.ctx, s.t, "Open", func(ctx context.Context) (_ any, err error) {
		s.caller, s.capabilities, err = s.link.connect(ctx, s.env, host)
		return nil, err
	})
	s.t.must(err, "connecting and opening the backend")
}

// disconnect does what the death of the host does.
func (s *subject) disconnect() { s.link.disconnect() }

// kill ends the executor without warning.
func (s *subject) kill() {
	s.runs = false
	_, err := call(s.t.ctx, s.t, "Close", func(ctx context.Context) (any, error) {
		s.link.kill(ctx)
		return nil, nil
	})
	s.t.must(err, "ending the executor")
}

// close ends the executor in good order.
func (s *subject) close() {
	s.runs = false
	_, err := call(s.t.ctx, s.t, "Close", func(ctx context.Context) (any, error) { return nil, s.link.close(ctx) })
	s.t.must(err, "closing the backend")
}

func (s *subject) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.t.ctx, s.t.target.Patience)
}

func (s *subject) has(c executor.Capability) bool { return slices.Contains(s.capabilities, c) }

// need skips the check if the backend does not declare c.
func (s *subject) need(c executor.Capability) {
	if !s.has(c) {
		s.t.skipf("the capability %s is not declared", c)
	}
}

// Create calls the backend.
func (s *subject) Create(ctx context.Context, w executor.Workload) (executor.Status, error) {
	return do(ctx, s, transport.MethodCreate, w)
}

// Restore calls the backend.
func (s *subject) Restore(ref executor.Ref, stdio executor.Stdio) (executor.Status, error) {
	return do(s.t.ctx, s, transport.MethodRestore, transport.RestoreRequest{Ref: ref, Stdio: stdio})
}

// List calls the backend.
func (s *subject) List() map[executor.Ref]executor.Status {
	all, err := do(s.t.ctx, s, transport.MethodList, transport.None{})
	s.t.must(err, "List")
	listed := map[executor.Ref]executor.Status{}
	for _, status := range all {
		if _, twice := listed[status.Ref]; twice {
			s.t.errorf("List shows %s twice", status.Ref)
		}
		listed[status.Ref] = status
	}
	return listed
}

// Signal calls the backend.
func (s *subject) Signal(ref executor.Ref, sig executor.Signal) error {
	_, err := do(s.t.ctx, s, transport.MethodSignal, transport.SignalRequest{Ref: ref, Signal: sig})
	return err
}

// Delete calls the backend.
func (s *subject) Delete(ref executor.Ref) error {
	_, err := do(s.t.ctx, s, transport.MethodDelete, ref)
	return err
}

// do calls a method of the backend. It reports a reply that makes no sense, and
// returns it.
func do[Req, Reply any](ctx context.Context, s *subject, method *transport.Method[Req, Reply], req Req) (Reply, error) {
	reply, err := call(ctx, s.t, method.Name, func(ctx context.Context) (Reply, error) { return method.Call(ctx, s.caller, req) })
	if errors.Is(err, transport.ErrBadReply) {
		s.t.errorf("%v", err)
		err = nil
	}
	return reply, err
}

// call runs fn with a deadline, and does not wait long if fn does not honour it. A
// panic of an executor in this process becomes an error.
func call[T any](ctx context.Context, t *trial, method string, fn func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, t.target.Patience)
	defer cancel()
	type result struct {
		value T
		err   error
	}
	results := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("panic: %v", p)
			}
			results <- r
		}()
		r.value, r.err = fn(ctx)
	}()
	select {
	case r := <-results:
		return r.value, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-results:
		return r.value, r.err
	case <-time.After(t.target.Patience):
		var zero T
		return zero, fmt.Errorf("%s did not return within %s of its deadline", method, t.target.Patience)
	}
}

// cleanup removes all workloads and ends the executor. It is the backstop of a
// check that failed, so its own errors do not matter.
func (s *subject) cleanup(ctx context.Context) {
	if s.runs {
		s.link.disconnect()
	} else if !s.ran || s.link.start() != nil {
		return
	}
	if caller, _, err := s.link.connect(ctx, s.env, newTestHost()); err == nil {
		removeAll(ctx, caller)
		removeRoots(ctx, caller)
	}
	_ = s.link.close(ctx) // kills it, if it does not end
}

func removeAll(ctx context.Context, c transport.Caller) {
	for {
		left, err := transport.MethodList.Call(ctx, c, transport.None{})
		if err != nil || len(left) == 0 {
			return
		}
		for _, status := range left {
			if !status.State.Ended() {
				_, _ = transport.MethodSignal.Call(ctx, c, transport.SignalRequest{Ref: status.Ref, Signal: syscall.SIGKILL})
			}
			_, _ = transport.MethodDelete.Call(ctx, c, status.Ref)
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return
		}
	}
}

func removeRoots(ctx context.Context, c transport.Caller) {
	if !c.Offers(executor.CapImages) {
		return
	}
	ids, _ := transport.MethodRootList.Call(ctx, c, transport.None{})
	for _, id := range ids {
		_, _ = transport.MethodRootRemove.Call(ctx, c, id)
	}
}
