package conformance

import (
	"sync"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(30, transport.MethodCreate.Name,
	Check{Name: "again-running", run: checkAgainRunning,
		Duty: "Create of an attempt that runs reports it and does not start it again.",
		Hint: "Look for the attempt, also among those that an earlier process started, before you start one."},
	Check{Name: "again-ended", run: checkAgainEnded,
		Duty: "Create of an attempt that has ended reports its exit and does not start it again.",
		Hint: "Keep the exit until Delete, and answer Create with it."},
	Check{Name: "again-at-once", run: checkAgainAtOnce, wireOnly: true,
		Duty: "Several Creates of one attempt at the same time are one start.",
		Hint: "The kit lets calls for one id in one after the other: serve with plugin.Serve."},
	Check{Name: "newer-running", run: checkNewerRunning,
		Duty: "Create of a newer attempt while an older one runs is AlreadyExists and leaves the older one alone.",
		Hint: "Compare attempts before anything else: an older one that runs is AlreadyExists."},
	Check{Name: "newer-ended", run: checkNewerEnded,
		Duty: "Create of a newer attempt replaces an older one that has ended, after its exit was handed over.",
		Hint: "Call Host.Exited for the stale attempt, wait for its answer, remove it, and only then start."},
	Check{Name: "older", run: checkOlder,
		Duty: "Create of an attempt older than the known one is FailedPrecondition and starts nothing.",
		Hint: "Compare attempts before anything else: a newer one that is known is FailedPrecondition."},
)

func checkAgainRunning(t *trial) {
	s := t.open()
	w := t.workload(s, untilGo, Step{Action: Exit, N: 7})
	first := s.create(w)
	w.awaitFile(startsFile)
	second := s.create(w)
	t.wantRunning(second, "the second Create")
	t.wantSameStart(second, first, "the second Create")
	w.touch("go")
	s.wantExit(w, 7)
	w.wantStarts("1")
}

func checkAgainEnded(t *trial) {
	s := t.open()
	w := s.launch(Step{Action: Exit, N: 7})
	s.released(w)
	t.wantCodeOf(s.create(w), "Create after the end", 7)
	t.wantCodeOf(s.create(w), "Create after the end, repeated", 7)
	w.wantStarts("1")
}

func checkAgainAtOnce(t *trial) {
	s := t.open()
	w := t.workload(s, untilGo, Step{Action: Exit, N: 7})
	statuses := make([]executor.Status, 8)
	var wg sync.WaitGroup
	for i := range statuses {
		wg.Go(func() {
			var err error
			if statuses[i], err = s.Create(t.ctx, w.Workload); err != nil {
				t.errorf("one of %d Creates at once: %s", len(statuses), describe(err))
			}
		})
	}
	wg.Wait()
	for _, status := range statuses[1:] {
		t.wantSameStart(status, statuses[0], "Creates at once")
	}
	w.awaitFile(startsFile)
	w.touch("go")
	s.wantExit(w, 7)
	w.wantStarts("1")
}

func checkNewerRunning(t *trial) {
	s := t.open()
	w := s.launch(untilGo, Step{Action: Exit, N: 7})
	w.awaitFile(startsFile)
	_, err := s.Create(t.ctx, w.next(s, Step{Action: Exit, N: 8}).Workload)
	t.wantCode(err, "Create of attempt 2 while attempt 1 runs", executor.AlreadyExists)
	t.wantRunning(s.List()[w.Ref], "List of attempt 1 afterwards")
	w.touch("go")
	s.wantExit(w, 7)
	w.wantStarts("1")
}

func checkNewerEnded(t *trial) {
	s := t.open()
	w := s.launch(Step{Action: Print, Stream: "stdout", Text: "one"}, Step{Action: Exit, N: 7})
	s.listedEnd(w)
	newer := w.next(s, untilGo, Step{Action: Exit, N: 8})
	t.wantRunning(s.create(newer), "Create of attempt 2")
	if _, at := s.host.find(exitTaken, w.Ref); at < 0 {
		t.errorf("Create of attempt 2 returned before the exit of attempt 1 was handed over")
	}
	s.wantUnknown(w.Ref, "after attempt 2 was created")
	newer.awaitFile(startsFile)
	newer.touch("go")
	s.wantExit(w, 7)
	s.released(w)
	s.wantExit(newer, 8)
	newer.wantStarts("1", "2")
	if got := w.read(w.stdout); got != "one\n" {
		t.errorf("the output of attempt 1 is %q, want %q", got, "one\n")
	}
}

func checkOlder(t *trial) {
	s := t.open()
	older := t.workload(s, Step{Action: Exit, N: 7})
	newer := older.next(s, untilGo, Step{Action: Exit, N: 8})
	s.create(newer)
	newer.awaitFile(startsFile)
	_, err := s.Create(t.ctx, older.Workload)
	t.wantCode(err, "Create of attempt 1 while attempt 2 runs", executor.FailedPrecondition)
	newer.touch("go")
	s.wantExit(newer, 8)
	_, err = s.Create(t.ctx, older.Workload)
	t.wantCode(err, "Create of attempt 1 after attempt 2 has ended", executor.FailedPrecondition)
	newer.wantStarts("2")
}
