package conformance

import (
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// create makes a workload that must start.
func (s *subject) create(w *workload) executor.Status {
	status, err := s.Create(s.t.ctx, w.Workload)
	s.t.must(err, "Create of %s", w.Ref)
	return status
}

// launch makes a workload of steps that must start.
func (s *subject) launch(steps ...Step) *workload {
	w := s.t.workload(s, steps...)
	s.create(w)
	return w
}

// restore restores an attempt that must be known.
func (s *subject) restore(w *workload) executor.Status {
	status, err := s.Restore(w.Ref, w.Stdio)
	s.t.must(err, "Restore of %s", w.Ref)
	return status
}

// await waits until the host is notified of an event, and returns it.
func (s *subject) await(kind eventKind, ref executor.Ref) event {
	timeout := time.After(s.t.target.Patience)
	for {
		_, changed := s.host.all()
		if e, at := s.host.find(kind, ref); at >= 0 {
			return e
		}
		select {
		case <-changed:
		case <-timeout:
			s.t.fatalf("within %s the host got no %s for %s", s.t.target.Patience, kind, ref)
		case <-s.t.ctx.Done():
			s.t.fatalf("interrupted")
		}
	}
}

// exited waits until the host has taken the exit of w, and returns its status.
func (s *subject) exited(w *workload) executor.Status { return s.await(exitTaken, w.Ref).status }

// wantExit waits for the exit of w, and reports an exit code other than code.
func (s *subject) wantExit(w *workload, code int) executor.Status {
	status := s.exited(w)
	s.t.wantCodeOf(status, "Exited of "+w.Ref.String(), code)
	return status
}

// released waits until w is released, and returns what is said of its output.
func (s *subject) released(w *workload) executor.Output { return s.await(released, w.Ref).output }

// wantCodeOf reports a status that is not of an end with code.
func (t *trial) wantCodeOf(status executor.Status, what string, code int) {
	switch {
	case !status.State.Ended() || status.Exit == nil:
		t.errorf("%s: the state is %q, want an end with code %d", what, status.State, code)
	case status.Exit.Code == nil:
		t.errorf("%s: the exit is lost (%s), want code %d", what, status.Exit.Reason, code)
	case *status.Exit.Code != code:
		t.errorf("%s: got code %d, want %d", what, *status.Exit.Code, code)
	}
}

// wantRunning reports a status that is not of a running attempt.
func (t *trial) wantRunning(status executor.Status, what string) {
	if status.State != executor.Running {
		t.errorf("%s: the state is %q, want %q", what, status.State, executor.Running)
	}
}

// wantSameStart reports statuses that are of two starts.
func (t *trial) wantSameStart(got, want executor.Status, what string) {
	if got.State == executor.Running && got.PID != want.PID {
		t.errorf("%s: the first process is %d, was %d", what, got.PID, want.PID)
	}
	known := !got.StartedAt.IsZero() && !want.StartedAt.IsZero()
	if known && !got.StartedAt.Equal(want.StartedAt) {
		t.errorf("%s: the attempt was started at %s, was %s", what, got.StartedAt, want.StartedAt)
	}
}

// wantUnknown reports an attempt that the backend knows.
func (s *subject) wantUnknown(ref executor.Ref, when string) {
	if status, listed := s.List()[ref]; listed {
		s.t.errorf("%s, List shows %s as %s", when, ref, status.State)
	}
	_, err := s.Restore(ref, executor.Stdio{})
	s.t.wantCode(err, when+", Restore of "+ref.String(), executor.NotFound)
}

// listedEnd waits until List shows the end of w.
func (s *subject) listedEnd(w *workload) executor.Status {
	var status executor.Status
	s.t.eventually(func() bool {
		status = s.List()[w.Ref]
		return status.State.Ended()
	}, "the end of %s in List", w.Ref)
	return status
}
