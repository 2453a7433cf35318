package conformance

import (
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(60, transport.MethodRestore.Name,
	Check{Name: "restore-running", run: checkRestoreRunning,
		Duty: "Restore of a running attempt reports it and does not disturb it.",
		Hint: "Find the running workload by what you wrote down at its start; start nothing."},
	Check{Name: "restore-ended", run: checkRestoreEnded,
		Duty: "Restore of an attempt that has ended reports the recorded exit.",
		Hint: "Keep the exit until Delete."},
	Check{Name: "restore-unknown", run: checkRestoreUnknown,
		Duty: "Restore of an unknown container, or of another attempt of a known one, is NotFound.",
		Hint: "Compare the whole ref, the attempt too."},
	Check{Name: "restore-twice", run: checkRestoreTwice,
		Duty: "Restoring what is watched already changes nothing: its exit is handed over once.",
		Hint: "Keep one watch per attempt."},
)

func checkRestoreRunning(t *trial) {
	s := t.open()
	w := t.workload(s, untilGo, Step{Action: Exit, N: 7})
	first := s.create(w)
	w.awaitFile(startsFile)
	status := s.restore(w)
	t.wantRunning(status, "Restore")
	t.wantSameStart(status, first, "Restore")
	w.touch("go")
	s.wantExit(w, 7)
	w.wantStarts("1")
}

func checkRestoreEnded(t *trial) {
	s := t.open()
	w := s.launch(Step{Action: Exit, N: 7})
	s.released(w)
	t.wantCodeOf(s.restore(w), "Restore after the end", 7)
	w.wantStarts("1")
}

func checkRestoreUnknown(t *trial) {
	s := t.open()
	unknown := t.workload(s, untilGo)
	_, err := s.Restore(unknown.Ref, unknown.Stdio)
	t.wantCode(err, "Restore of an unknown container", executor.NotFound)

	w := s.launch(untilGo)
	other := w.next(s, untilGo)
	_, err = s.Restore(other.Ref, other.Stdio)
	t.wantCode(err, "Restore of attempt 2 where attempt 1 runs", executor.NotFound)
	t.wantRunning(s.List()[w.Ref], "List of attempt 1 afterwards")
}

func checkRestoreTwice(t *trial) {
	s := t.open()
	w := s.launch(untilGo, Step{Action: Exit, N: 7})
	for range 3 {
		s.restore(w)
	}
	w.touch("go")
	s.wantExit(w, 7)
	s.released(w)
	// Delete ends the watch, and with it whatever would report once more.
	t.must(s.Delete(w.Ref), "Delete")
	if n := s.host.count(exitCalled, w.Ref); n != 1 {
		t.errorf("after three calls of Restore the exit was handed over %d times, want once", n)
	}
}
