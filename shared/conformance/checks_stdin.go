package conformance

import (
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(170, transport.MethodCloseInput.Name,
	Check{Name: "stdin", Capability: executor.CapStdin, run: checkStdin,
		Duty: "What several writers, one after the other, write to the FIFO reaches the process, whose input ends with CloseInput.",
		Hint: "Have the FIFO open for writing until CloseInput: the end of a writer is not the end of the input."},
	Check{Name: "stdin-restart", Capability: executor.CapStdin, run: checkStdinRestart,
		Duty: "The input outlives the executor, and the next one can close it.",
		Hint: "What has the FIFO open for writing must outlive the executor."},
	Check{Name: "stdin-codes", Capability: executor.CapStdin, run: checkStdinCodes,
		Duty: "CloseInput of a process that has ended, or has no input, is FailedPrecondition, of an unknown one NotFound; it can be repeated.",
		Hint: "Keep with the process whether it has an input."},
)

// copies are steps that copy the input to stdout.
var copies = []Step{{Action: Copy, Stream: "stdout"}, {Action: Exit, N: 7}}

func (s *subject) closeInput(w *workload) {
	_, err := do(s.t.ctx, s, transport.MethodCloseInput, w.Ref)
	s.t.must(err, "CloseInput of %s", w.Ref)
}

// wantRead waits until the process has copied its input.
func (w *workload) wantRead(want string) {
	w.t.eventually(func() bool { return w.read(w.stdout) == want }, "the output %q of %s", want, w.Ref)
}

// withCopiers calls fn with a first process that copies its input and, if the backend has
// them, with a further one.
func withCopiers(s *subject, fn func(w *workload, write func(string))) {
	w := s.t.workload(s, copies...)
	fn(w, w.withInput())
	if s.has(executor.CapExec) {
		x := s.running().exec(s, copies...)
		fn(x, x.withInput())
	}
}

func checkStdin(t *trial) {
	s := t.open()
	withCopiers(s, func(w *workload, write func(string)) {
		s.create(w)
		write("one\n")
		w.wantRead("one\n")
		write("two\n")
		w.wantRead("one\ntwo\n")
		t.wantRunning(s.List()[w.Ref], "List after the end of two writers")
		s.closeInput(w)
		s.wantExit(w, 7)
		s.released(w)
	})
}

func checkStdinRestart(t *trial) {
	s := t.open()
	withCopiers(s, func(w *workload, write func(string)) {
		s.create(w)
		write("one\n")
		w.wantRead("one\n")
		s.kill()
		write("two\n")
		s.start()
		if w.Ref.Exec != "" {
			first := *w
			first.Ref = w.Ref.Init()
			s.restore(&first)
		}
		t.wantRunning(s.restore(w), "Restore")
		w.wantRead("one\ntwo\n")
		s.closeInput(w)
		s.wantExit(w, 7)
		s.released(w)
	})
}

func checkStdinCodes(t *trial) {
	s := t.open()
	unknown := t.workload(s, copies...)
	_, err := do(t.ctx, s, transport.MethodCloseInput, unknown.Ref)
	t.wantCode(err, "CloseInput of an unknown container", executor.NotFound)
	without := s.running()
	_, err = do(t.ctx, s, transport.MethodCloseInput, without.Ref)
	t.wantCode(err, "CloseInput without an input", executor.FailedPrecondition)
	w := t.workload(s, pausable...)
	w.withInput()
	s.create(w)
	w.awaitFile("ready")
	s.closeInput(w)
	s.closeInput(w)
	w.touch("go")
	s.released(w)
	_, err = do(t.ctx, s, transport.MethodCloseInput, w.Ref)
	t.wantCode(err, "CloseInput of what has ended", executor.FailedPrecondition)
}
