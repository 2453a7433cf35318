package conformance

import (
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(160, transport.MethodCreate.Name,
	Check{Name: "exec", Capability: executor.CapExec, run: checkExec,
		Duty: "A further process runs beside the first one, is listed until it is deleted, and its code and output are reported under its own ref.",
		Hint: "Everything that takes a ref must heed Ref.Exec."},
	Check{Name: "exec-again", Capability: executor.CapExec, run: checkExecAgain,
		Duty: "Create of a further process again returns the status that it has, running or ended, and never starts it a second time.",
		Hint: "Its ref is the key, with the exec id."},
	Check{Name: "exec-command", Capability: executor.CapExec, run: checkExecCommand,
		Duty: "A further process whose command does not exist is CommandNotFound, and nothing of it is left.",
		Hint: "Some systems report such an end as exit 0: only the error of the start tells."},
	Check{Name: "exec-attempt", Capability: executor.CapExec, run: checkExecAttempt,
		Duty: "A further process of an attempt that has ended is FailedPrecondition, of an unknown one NotFound.",
		Hint: "An attempt that has ended is known until Delete."},
	Check{Name: "exec-paused", Capability: executor.CapExec, run: checkExecPaused,
		Duty: "A further process of a paused attempt is FailedPrecondition.",
		Hint: "It would hang: refuse it before it is made."},
	Check{Name: "exec-restart", Method: transport.MethodRestore.Name, Capability: executor.CapExec, run: checkExecRestart,
		Duty: "A further process outlives its executor, and the next one knows its exit, also if it ended in between.",
		Hint: "Keep what is needed to find it on disk, before it is started."},
	Check{Name: "exec-ends", Method: transport.MethodExited.Name, Capability: executor.CapExec, run: checkExecEnds,
		Duty: "A further process ends at the latest with its attempt, and is reported and released.",
		Hint: "Report those that run before what shows their end is removed with the attempt."},
	Check{Name: "exec-removed", Method: transport.MethodDelete.Name, Capability: executor.CapExec, run: checkExecRemoved,
		Duty: "Delete of a further process that runs is FailedPrecondition; Delete of an attempt removes all that is left of its further processes.",
		Hint: "Nobody deletes what the host does not know any more."},
	Check{Name: "exec-killed", Method: transport.MethodSignal.Name, Capability: executor.CapExec, run: checkExecKilled,
		Duty: "A signal for a further process reaches it, and no other.",
		Hint: "SIGKILL of a further process is about that process alone."},
	Check{Name: "exec-fifo", Method: transport.MethodReleased.Name, Capability: executor.CapExec, run: checkExecFIFO,
		Duty: "What a further process writes to a FIFO is complete when a slow reader has read it all, and it is not released before.",
		Hint: "Do not end what copies the output before it has written all."},
	Check{Name: "exec-fifo-held", Method: transport.MethodReleased.Name, Capability: executor.CapExec, run: checkExecHeld,
		Duty: "What a further process has written to a FIFO is there for a reader who comes after its end.",
		Hint: "Have the FIFO open for reading until it is empty: what is in it is gone with its last user."},
)

// running starts a first process that waits for the file "go".
func (s *subject) running() *workload {
	w := s.launch(waits("go", 7)...)
	w.awaitFile("goready")
	return w
}

func checkExec(t *trial) {
	s := t.open()
	w := s.running()
	x := w.exec(s, append([]Step{{Action: Print, Stream: "stdout", Text: "out"}, {Action: Print, Stream: "stderr", Text: "err"}}, waits("one", 9)...)...)
	status := s.create(x)
	if status.Ref != x.Ref {
		t.errorf("Create: the status is about %s, want %s", status.Ref, x.Ref)
	}
	t.wantRunning(status, "Create of a further process")
	x.awaitFile("oneready")
	t.wantRunning(s.List()[x.Ref], "List")
	t.wantRunning(s.List()[w.Ref], "List of the first process")
	s.host.beforeReleased(func(ref executor.Ref) {
		if ref == x.Ref {
			x.wantOutput(x.stdout, "stdout", "out\n")
			x.wantOutput(x.stderr, "stderr", "err\n")
		}
	})
	x.touch("one")
	s.wantExit(x, 9)
	if output := s.released(x); output != executor.Complete {
		t.errorf("Released: the output is %q, want %q", output, executor.Complete)
	}
	t.wantCodeOf(s.List()[x.Ref], "List after its end", 9)
	t.must(s.Delete(x.Ref), "Delete of a further process that has ended")
	s.wantUnknown(x.Ref, "after Delete")
	t.wantRunning(s.List()[w.Ref], "List of the first process at last")
	w.touch("go")
	s.wantExit(w, 7)
}

func checkExecAgain(t *trial) {
	s := t.open()
	w := s.running()
	x := w.exec(s, waits("one", 9)...)
	first := s.create(x)
	x.awaitFile("oneready")
	again := s.create(x)
	t.wantRunning(again, "Create again")
	t.wantSameStart(again, first, "Create again")
	x.touch("one")
	s.wantExit(x, 9)
	s.released(x)
	t.wantCodeOf(s.create(x), "Create after its end", 9)
	w.wantStartsInAll(2)
	w.touch("go")
	s.released(w)
	t.wantCodeOf(s.create(x), "Create after the end of the attempt", 9)
}

func checkExecCommand(t *trial) {
	s := t.open()
	w := s.running()
	x := w.exec(s, Step{Action: Exec, File: "nocommand"})
	for _, when := range []string{"Create", "Create again"} {
		_, err := s.Create(t.ctx, x.Workload)
		t.wantCode(err, when+" with a command that does not exist", executor.CommandNotFound)
		s.wantUnknown(x.Ref, "after a failed "+when)
	}
	t.wantRunning(s.List()[w.Ref], "List of the first process")
}

func checkExecAttempt(t *trial) {
	s := t.open()
	unknown := t.workload(s, untilGo)
	_, err := s.Create(t.ctx, unknown.exec(s, untilGo).Workload)
	t.wantCode(err, "Create for an unknown attempt", executor.NotFound)
	w := s.running()
	w.touch("go")
	s.released(w)
	x := w.exec(s, untilGo)
	_, err = s.Create(t.ctx, x.Workload)
	t.wantCode(err, "Create for an attempt that has ended", executor.FailedPrecondition)
	s.wantUnknown(x.Ref, "after a failed Create")
	t.wantCode(s.Signal(x.Ref, syscall.SIGTERM), "Signal to what was never started", executor.NotFound)
}

func checkExecPaused(t *trial) {
	s := t.open()
	s.need(executor.CapPause)
	w := s.running()
	s.pause(w)
	x := w.exec(s, waits("one", 9)...)
	_, err := s.Create(t.ctx, x.Workload)
	t.wantCode(err, "Create for a paused attempt", executor.FailedPrecondition)
	s.resume(w)
	s.create(x)
	x.touch("one")
	s.wantExit(x, 9)
	w.touch("go")
	s.wantExit(w, 7)
}

func checkExecRestart(t *trial) {
	s := t.open()
	w := s.running()
	lasting, brief := w.exec(s, waits("one", 9)...), w.exec(s, waits("two", 8)...)
	started := s.create(lasting)
	s.create(brief)
	lasting.awaitFile("oneready")
	brief.awaitFile("twoready")
	s.kill()
	brief.touch("two")
	s.start()
	t.wantRunning(s.List()[lasting.Ref], "List after the restart")
	for _, one := range []*workload{w, lasting, brief} {
		s.restore(one)
	}
	t.wantSameStart(s.create(lasting), started, "Create after the restart")
	s.wantExit(brief, 8)
	lasting.touch("one")
	s.wantExit(lasting, 9)
	s.released(lasting)
	w.wantStartsInAll(3)
}

func checkExecEnds(t *trial) {
	s := t.open()
	w := s.running()
	x, y := w.exec(s, waits("one", 9)...), w.exec(s, waits("two", 8)...)
	s.create(x)
	s.create(y)
	x.awaitFile("oneready")
	y.awaitFile("twoready")
	y.touch("two")
	w.touch("go")
	s.wantExit(w, 7)
	s.exited(x)
	s.exited(y)
	s.released(x)
	s.released(w)
	if status := s.List()[x.Ref]; !status.State.Ended() {
		t.errorf("List after the end of the attempt: the state of a further process is %q", status.State)
	}
}

func checkExecRemoved(t *trial) {
	s := t.open()
	w := s.running()
	x, y := w.exec(s, waits("one", 9)...), w.exec(s, waits("two", 8)...)
	s.create(x)
	s.create(y)
	t.wantCode(s.Delete(x.Ref), "Delete of a further process that runs", executor.FailedPrecondition)
	y.touch("two")
	s.released(y)
	w.touch("go")
	s.released(w)
	s.exited(x)
	t.must(s.Delete(w.Ref), "Delete of the attempt")
	s.wantUnknown(x.Ref, "after Delete of the attempt")
	s.wantUnknown(y.Ref, "after Delete of the attempt")
	t.must(s.Delete(x.Ref), "Delete of what is gone")
}

func checkExecKilled(t *trial) {
	s := t.open()
	w := s.running()
	x, y := w.exec(s, waits("one", 9)...), w.exec(s, waits("two", 8)...)
	s.create(x)
	s.create(y)
	x.awaitFile("oneready")
	y.awaitFile("twoready")
	t.must(s.Signal(x.Ref, syscall.SIGKILL), "Signal to a further process")
	s.wantExit(x, 128+int(syscall.SIGKILL))
	t.wantRunning(s.List()[w.Ref], "List of the first process")
	t.wantRunning(s.List()[y.Ref], "List of the other one")
	t.wantCode(s.Signal(x.Ref, syscall.SIGKILL), "Signal to what has ended", executor.FailedPrecondition)
	y.touch("two")
	s.wantExit(y, 8)
}

// fifoBytes is how much a further process writes to a FIFO: more than all buffers on its
// way hold.
const fifoBytes = 3 << 20

func checkExecFIFO(t *trial) {
	s := t.open()
	w := s.running()
	lines := linesOf(min(t.target.OutputBytes, fifoBytes))
	x := w.exec(s, Step{Action: Count, Stream: "stdout", N: lines}, Step{Action: Exit, N: 9})
	read := x.toFIFO()
	s.create(x)
	time.Sleep(pausedFor)
	if _, at := s.host.find(released, x.Ref); at >= 0 {
		t.errorf("Released was called while nobody had read the output")
	}
	x.wantCounted(read(10*time.Millisecond), lines)
	s.wantExit(x, 9)
	if output := s.released(x); output != executor.Complete {
		t.errorf("Released: the output is %q, want %q", output, executor.Complete)
	}
}

func checkExecHeld(t *trial) {
	s := t.open()
	w := s.running()
	const lines = 1000 // less than a pipe holds
	x := w.exec(s, Step{Action: Count, Stream: "stdout", N: lines}, Step{Action: Exit, N: 9})
	x.Stdio.Stdout = x.fifo("out.fifo")
	s.create(x)
	s.wantExit(x, 9)
	x.wantCounted(x.drain(), lines)
	if output := s.released(x); output != executor.Complete {
		t.errorf("Released: the output is %q, want %q", output, executor.Complete)
	}
}
