package conformance

import (
	"github.com/davit-run/davit/shared/executor"
)

func restartChecks() []Check {
	return []Check{
		{Name: "restart-running", run: checkRestartRunning,
			Duty: "A workload outlives the death of its executor; the next one takes it up by Restore and sees its end and all its output."},
		{Name: "restart-ended", run: checkRestartEnded,
			Duty: "An exit that happens while no executor runs is found by the next one and handed over as recovered."},
		{Name: "restart-unanswered", run: checkRestartUnanswered,
			Duty: "An exit that no host has taken when the executor dies is handed over by the next one."},
		{Name: "restart-again", run: checkRestartAgain,
			Duty: "Create of an attempt that an earlier executor has started reports it and does not start it again."},
		{Name: "restart-newer", run: checkRestartNewer,
			Duty: "Create of a newer attempt hands over a stale exit that only an earlier executor has seen."},
		{Name: "close", run: checkClose,
			Duty: "Close leaves workloads running, and the next executor takes them up."},
	}
}

// restart starts the executor after it was killed or closed.
func (s *subject) restart(w *workload, first executor.Status) {
	s.start()
	s.t.wantRunning(s.List()[w.Ref], "List after the restart")
	status := s.restore(w)
	s.t.wantRunning(status, "Restore after the restart")
	s.t.wantSameStart(status, first, "Restore after the restart")
}

func checkRestartRunning(t *trial) {
	s := t.open()
	w := t.workload(s,
		Step{Action: Print, Stream: "stdout", Text: "before"}, Step{Action: Mark, File: "printed", Text: "x"}, untilGo,
		Step{Action: Print, Stream: "stdout", Text: "after"}, Step{Action: Exit, N: 7})
	first := s.create(w)
	w.awaitFile("printed")
	s.kill()
	s.restart(w, first)
	w.touch("go")
	if status := s.wantExit(w, 7); status.Exit.Source != executor.Observed {
		t.errorf("the source of an exit that was waited for is %q, want %q", status.Exit.Source, executor.Observed)
	}
	s.released(w)
	w.wantOutput(w.stdout, "stdout", "before\nafter\n")
	w.wantStarts("1")
}

func checkRestartEnded(t *trial) {
	s := t.open()
	w := s.launch(untilGo, Step{Action: Mark, File: "ended", Text: "x"}, Step{Action: Exit, N: 7})
	s.kill()
	w.touch("go")
	w.awaitFile("ended")
	s.start()
	t.wantCodeOf(s.listedEnd(w), "List after the restart", 7)
	t.wantCodeOf(s.restore(w), "Restore after the restart", 7)
	if status := s.wantExit(w, 7); status.Exit.Source != executor.Recovered {
		t.errorf("the source of an exit that nobody waited for is %q, want %q", status.Exit.Source, executor.Recovered)
	}
	s.released(w)
}

func checkRestartUnanswered(t *trial) {
	s := t.open()
	release := s.host.hold()
	defer release()
	w := s.launch(Step{Action: Exit, N: 7})
	s.await(exitCalled, w.Ref)
	s.kill()
	s.start()
	t.wantCodeOf(s.List()[w.Ref], "List after the restart", 7)
	t.wantCodeOf(s.restore(w), "Restore after the restart", 7)
	s.wantExit(w, 7)
	s.released(w)
}

func checkRestartAgain(t *trial) {
	s := t.open()
	running := t.workload(s, untilGo, Step{Action: Exit, N: 7})
	first := s.create(running)
	running.awaitFile(startsFile)
	ended := s.launch(Step{Action: Exit, N: 8})
	s.released(ended)
	s.kill()
	s.start()
	again := s.create(running)
	t.wantRunning(again, "Create of a running attempt after the restart")
	t.wantSameStart(again, first, "Create of a running attempt after the restart")
	t.wantCodeOf(s.create(ended), "Create of an ended attempt after the restart", 8)
	running.touch("go")
	s.wantExit(running, 7)
	running.wantStarts("1")
	ended.wantStarts("1")
}

func checkRestartNewer(t *trial) {
	s := t.open()
	w := s.launch(untilGo, Step{Action: Mark, File: "ended", Text: "x"}, Step{Action: Exit, N: 7})
	s.kill()
	w.touch("go")
	w.awaitFile("ended")
	s.start()
	s.listedEnd(w)
	newer := w.next(s, Step{Action: Exit, N: 8})
	s.create(newer)
	if e, at := s.host.find(exitTaken, w.Ref); at < 0 {
		t.errorf("Create of attempt 2 returned before the exit of attempt 1 was handed over")
	} else {
		t.wantCodeOf(e.status, "the stale exit", 7)
	}
	s.wantExit(newer, 8)
	newer.wantStarts("1", "2")
}

func checkClose(t *trial) {
	s := t.open()
	s.need(executor.CapClose)
	w := t.workload(s, untilGo, Step{Action: Exit, N: 7})
	first := s.create(w)
	w.awaitFile(startsFile)
	s.close()
	s.restart(w, first)
	w.touch("go")
	s.wantExit(w, 7)
	w.wantStarts("1")
}
