package conformance

import (
	"context"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(40, transport.MethodExited.Name,
	Check{Name: "exit-code", run: checkExitCode,
		Duty: "Exited reports the exit code that the workload ended with, when it did, and that this was observed.",
		Hint: "Take the code from whoever waited for the process, and Observed if you watched when it ended."},
	Check{Name: "exit-signal", run: checkExitSignal,
		Duty: "Exited reports a death by signal n as code 128+n.",
		Hint: "A shell's convention: 128 plus the number of the signal."},
	Check{Name: "exit-before-released", run: checkExitBeforeReleased,
		Duty: "Released is called once the host has answered Exited, and not before.",
		Hint: "Call Released after Exited has returned nil."},
	Check{Name: "exit-kept", run: checkExitKept,
		Duty: "Nothing that keeps an exit is deleted while the host has not answered Exited.",
		Hint: "Delete the task, the record or the process only after Exited has returned nil."},
	Check{Name: "exit-failing-host", run: checkExitFailingHost, wireOnly: true,
		Duty: "An exit that the host fails to take is handed over again until it is taken.",
		Hint: "The kit repeats the call until it is answered: serve with plugin.Serve."},
	Check{Name: "exit-refused", run: checkExitRefused,
		Duty: "An exit that the host refuses as NotFound is kept, and Restore hands it over again.",
		Hint: "When Exited returns an error keep everything, and begin to watch again in Restore."},
	Check{Name: "exit-once", run: checkExitOnce,
		Duty: "An exit that was answered is not handed over again by the same process, whatever is asked about it.",
		Hint: "Remember per attempt that the exit was answered; Restore and Create must not watch it anew."},
	Check{Name: "exit-next-host", run: checkExitNextHost,
		Duty: "An exit that happens while no host is connected is handed over to the next host.",
		Hint: "Call Host.Exited with a context that does not end: it returns when a host has answered."},
	Check{Name: "exit-dying-host", run: checkExitDyingHost,
		Duty: "An exit that a host dies over without an answer is handed over to the next host.",
		Hint: "Call Host.Exited with a context that does not end: it returns when a host has answered."},
)

func checkExitCode(t *trial) {
	s := t.open()
	for _, code := range []int{0, 3, 255} {
		begin := time.Now()
		w := s.launch(untilGo, Step{Action: Exit, N: code})
		w.touch("go")
		status := s.wantExit(w, code)
		if status.State != executor.Exited {
			t.errorf("Exited was called with the state %q, want %q", status.State, executor.Exited)
		}
		const slack = 2 * time.Second
		if at := status.Exit.At; !at.IsZero() && (at.Before(begin.Add(-slack)) || at.After(time.Now().Add(slack))) {
			t.errorf("the workload ended at %s by its exit, but ran between %s and %s", at, begin, time.Now())
		}
		if status.Exit.Source != executor.Observed {
			t.errorf("the source of an exit that was waited for is %q, want %q", status.Exit.Source, executor.Observed)
		}
	}
}

func checkExitSignal(t *trial) {
	s := t.open()
	w := s.launch(untilGo)
	w.awaitFile(startsFile)
	t.must(s.Signal(w.Ref, syscall.SIGKILL), "Signal")
	status := s.wantExit(w, 128+int(syscall.SIGKILL))
	if sig := status.Exit.Signal; sig != 0 && sig != syscall.SIGKILL {
		t.errorf("Exited names signal %d, want %d, or 0 for unknown", sig, syscall.SIGKILL)
	}
}

func checkExitBeforeReleased(t *trial) {
	s := t.open()
	w := s.launch(Step{Action: Exit, N: 3})
	s.released(w)
	_, taken := s.host.find(exitTaken, w.Ref)
	_, freed := s.host.find(released, w.Ref)
	if taken < 0 || freed < taken {
		events, _ := s.host.all()
		var order []string
		for _, e := range events {
			order = append(order, string(e.kind))
		}
		t.errorf("the order of events is %q", order)
	}
}

func checkExitKept(t *trial) {
	s := t.open()
	release := s.host.block()
	defer release()
	w := s.launch(Step{Action: Exit, N: 3})
	s.await(exitCalled, w.Ref)

	t.wantKept(s, w, "while Exited is not answered")
	t.wantCodeOf(s.create(w), "Create while Exited is not answered", 3)
	t.wantCodeOf(s.restore(w), "Restore while Exited is not answered", 3)
	release()
	s.released(w)
	w.wantStarts("1")
}

// wantKept reports an exit that is gone although the host has not taken it.
func (t *trial) wantKept(s *subject, w *workload, when string) {
	status, listed := s.List()[w.Ref]
	switch {
	case !listed:
		t.errorf("%s, List does not show %s", when, w.Ref)
	case status.State != executor.Exited:
		t.errorf("%s, List shows %s as %s, want %s", when, w.Ref, status.State, executor.Exited)
	default:
		t.wantCodeOf(status, "List "+when, 3)
	}
	if _, at := s.host.find(released, w.Ref); at >= 0 {
		t.errorf("%s, Released was called", when)
	}
}

func checkExitFailingHost(t *trial) {
	s := t.open()
	var failed atomic.Bool
	s.host.answerWith(func(context.Context) error {
		if failed.CompareAndSwap(false, true) {
			return executor.Errorf(executor.Internal, "the disk is slow today")
		}
		return nil
	})
	w := s.launch(Step{Action: Exit, N: 3})
	s.wantExit(w, 3)
	s.released(w)
}

func checkExitRefused(t *trial) {
	s := t.open()
	s.host.answerWith(func(context.Context) error {
		return executor.Errorf(executor.NotFound, "this host has no such container")
	})
	w := s.launch(Step{Action: Exit, N: 3})
	s.await(exitCalled, w.Ref)
	t.wantKept(s, w, "after the host has refused the exit")

	s.host.answerWith(nil)
	t.eventually(func() bool { // until the executor has noted the refusal
		status, err := s.Restore(w.Ref, w.Stdio)
		if _, at := s.host.find(exitTaken, w.Ref); at >= 0 {
			return true
		}
		t.must(err, "Restore after the host has refused the exit")
		t.wantCodeOf(status, "Restore after the host has refused the exit", 3)
		return false
	}, "another %s for %s after Restore", exitCalled, w.Ref)
	s.released(w)
	_, taken := s.host.find(exitTaken, w.Ref)
	if _, freed := s.host.find(released, w.Ref); freed < taken {
		t.errorf("Released was called before the exit was taken")
	}
}

func checkExitOnce(t *trial) {
	s := t.open()
	w := s.launch(Step{Action: Exit, N: 3})
	s.released(w)
	for range 3 {
		_, _ = s.Restore(w.Ref, w.Stdio) // restore-ended looks at the answer
	}
	t.must(s.Delete(w.Ref), "Delete") // ends all watching, and whatever would report once more
	if n := s.host.count(exitCalled, w.Ref); n != 1 {
		t.errorf("an exit that was answered and then asked about was handed over %d times, want once", n)
	}
}

// absence is how long there is no host. No check depends on its end; in this time,
// executors that do not wait for a host as long as it takes show themselves.
const absence = 200 * time.Millisecond

func checkExitNextHost(t *trial) {
	s := t.open()
	w := s.launch(untilGo, Step{Action: Mark, File: "ended", Text: "x"}, Step{Action: Exit, N: 3})
	s.disconnect()
	w.touch("go")
	w.awaitFile("ended")
	time.Sleep(absence)
	s.connect(newTestHost())
	s.wantExit(w, 3)
	s.released(w)
}

func checkExitDyingHost(t *trial) {
	s := t.open()
	release := s.host.block()
	defer release()
	w := s.launch(Step{Action: Exit, N: 3})
	s.await(exitCalled, w.Ref)
	s.disconnect()
	time.Sleep(absence)
	s.connect(newTestHost())
	s.wantExit(w, 3)
	s.released(w)
}
