package conformance

import (
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(70, transport.MethodRestore.Name,
	Check{Name: "restart-running", run: checkRestartRunning,
		Duty: "A workload outlives the death of its executor; the next one takes it up by Restore and sees its end and all its output.",
		Hint: "Workload, output and record must belong to something that outlives the executor: a daemon, a shim, a monitor process."},
	Check{Name: "restart-ended", run: checkRestartEnded,
		Duty: "An exit that happens while no executor runs is found by the next one and handed over as recovered.",
		Hint: "Let what outlives the executor write the exit to StateDir, whole or not at all; say Recovered if nobody watched."},
	Check{Name: "restart-unanswered", run: checkRestartUnanswered,
		Duty: "An exit that no host has taken when the executor dies is handed over by the next one.",
		Hint: "Keep the exit on disk until Exited was answered."},
	Check{Name: "restart-again", run: checkRestartAgain,
		Duty: "Create of an attempt that an earlier executor has started reports it and does not start it again.",
		Hint: "Look in StateDir, or ask the backend, before you start anything."},
	Check{Name: "restart-newer", run: checkRestartNewer,
		Duty: "Create of a newer attempt hands over a stale exit that only an earlier executor has seen.",
		Hint: "A stale attempt of an earlier process is handed over like one of this process."},
	Check{Name: "restart-same", run: checkRestartSame,
		Duty: "The exit that the next executor hands over is the one that was handed over before: same code, signal and time.",
		Hint: "Write down code, signal and time when the workload ends, and report what was written."},
	Check{Name: "restart-many", run: checkRestartMany, direct: true,
		Duty: "The next executor knows all of many workloads, those that run and those that ended meanwhile.",
		Hint: "Build List from what the backend or StateDir has, not from what this process has started."},
)

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
	release := s.host.block()
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

func checkRestartMany(t *trial) {
	s := t.open()
	workloads := make([]*workload, t.target.Workloads)
	for i := range workloads {
		workloads[i] = s.launch(untilGo, Step{Action: Mark, File: "ended", Text: "x"}, Step{Action: Exit, N: i % 256})
	}
	s.kill()
	for i, w := range workloads {
		if i%2 == 0 {
			w.touch("go")
			w.awaitFile("ended")
		}
	}
	s.start()
	if listed := s.List(); len(listed) != len(workloads) {
		t.errorf("after the restart, List shows %d of %d attempts: %q", len(listed), len(workloads), refs(listed))
	}
	t.together(len(workloads), func(i int) {
		w := workloads[i]
		s.restore(w)
		w.touch("go")
		s.wantExit(w, i%256)
		w.wantStarts("1")
	})
}

func checkRestartSame(t *trial) {
	s := t.open()
	w := s.launch(Step{Action: Exit, N: 7})
	first := s.exited(w)
	s.released(w)
	s.kill()
	time.Sleep(absence)
	s.start()
	for what, status := range map[string]executor.Status{
		"Restore after the restart": s.restore(w),
		"Exited after the restart":  s.exited(w),
	} {
		t.wantCodeOf(status, what, 7)
		if status.Exit == nil || first.Exit == nil {
			continue
		}
		if got, want := status.Exit.Signal, first.Exit.Signal; got != want {
			t.errorf("%s: the signal is %d, was %d", what, got, want)
		}
		got, want := status.Exit.At, first.Exit.At
		if known := !got.IsZero() && !want.IsZero(); known && got.Sub(want).Abs() > absence/4 {
			t.errorf("%s: the workload ended at %s, was %s", what, got, want)
		}
	}
}
