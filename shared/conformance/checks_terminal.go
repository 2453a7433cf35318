package conformance

import (
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(180, transport.MethodResize.Name,
	Check{Name: "terminal-size", Capability: executor.CapTerminal, run: checkTerminalSize,
		Duty: "The first instruction of a process sees a terminal of the size that the spec says, and sees a later size after Resize.",
		Hint: "Set the size before the process runs."},
	Check{Name: "terminal-input", Capability: executor.CapTerminal, run: checkTerminalInput,
		Duty: "What is written to the FIFO of a terminal reaches the process.",
		Hint: "Copy from the FIFO to the terminal, and have it open for writing."},
	Check{Name: "terminal-restart", Capability: executor.CapTerminal, run: checkTerminalRestart,
		Duty: "A terminal outlives the executor, and the next one can resize it.",
		Hint: "What has the terminal open must outlive the executor."},
	Check{Name: "resize-codes", Capability: executor.CapTerminal, run: checkResizeCodes,
		Duty: "Resize of a process that has ended, or has no terminal, is FailedPrecondition, of an unknown one NotFound.",
		Hint: "Keep with the process whether it has a terminal."},
)

var (
	firstSize  = executor.TerminalSize{Width: 91, Height: 27}
	secondSize = executor.TerminalSize{Width: 131, Height: 43}
)

// sizes are steps that print the size of the terminal, and again when the file "resized" is there.
var sizes = []Step{
	{Action: Size, Stream: "stdout"}, ready,
	{Action: Await, File: "resized"}, {Action: Size, Stream: "stdout"}, {Action: Exit, N: 7},
}

func (s *subject) resize(w *workload, size executor.TerminalSize) {
	_, err := do(s.t.ctx, s, transport.MethodResize, transport.ResizeRequest{Ref: w.Ref, Size: size})
	s.t.must(err, "Resize of %s", w.Ref)
}

// wantTerminal reports output of a terminal that is not of these words.
func (w *workload) wantTerminal(want ...string) {
	if got := strings.Fields(w.read(w.stdout)); strings.Join(got, " ") != strings.Join(want, " ") {
		w.t.errorf("the terminal of %s shows %q, want %q", w.Ref, got, want)
	}
}

// withTerminals calls fn with a first process of these steps that has a terminal, and if
// the backend has them with a further one.
func withTerminals(s *subject, steps []Step, fn func(w *workload)) {
	w := s.t.workload(s, steps...)
	w.terminal(firstSize)
	fn(w)
	if s.has(executor.CapExec) {
		x := s.running().exec(s, steps...)
		x.terminal(firstSize)
		fn(x)
	}
}

func checkTerminalSize(t *trial) {
	s := t.open()
	withTerminals(s, sizes, func(w *workload) {
		s.create(w)
		w.awaitFile("ready")
		s.resize(w, secondSize)
		w.touch("resized")
		s.wantExit(w, 7)
		s.released(w)
		w.wantTerminal("27", "91", "43", "131")
	})
}

func checkTerminalInput(t *trial) {
	s := t.open()
	withTerminals(s, []Step{{Action: Copy, Stream: "stdout"}}, func(w *workload) {
		write := w.withInput()
		s.create(w)
		write("hello\n")
		t.eventually(func() bool { return strings.Contains(w.read(w.stdout), "hello") }, "the input of %s on its terminal", w.Ref)
		t.wantRunning(s.List()[w.Ref], "List after the end of a writer")
		t.must(s.Signal(w.Ref, 9), "Signal")
		s.released(w)
	})
}

func checkTerminalRestart(t *trial) {
	s := t.open()
	withTerminals(s, sizes, func(w *workload) {
		s.create(w)
		w.awaitFile("ready")
		s.kill()
		s.start()
		if w.Ref.Exec != "" {
			first := *w
			first.Ref = w.Ref.Init()
			s.restore(&first)
		}
		t.wantRunning(s.restore(w), "Restore")
		s.resize(w, secondSize)
		w.touch("resized")
		s.wantExit(w, 7)
		s.released(w)
		w.wantTerminal("27", "91", "43", "131")
	})
}

func checkResizeCodes(t *trial) {
	s := t.open()
	resize := func(w *workload) error {
		_, err := do(t.ctx, s, transport.MethodResize, transport.ResizeRequest{Ref: w.Ref, Size: secondSize})
		return err
	}
	t.wantCode(resize(t.workload(s, untilGo)), "Resize of an unknown container", executor.NotFound)
	w := s.running()
	t.wantCode(resize(w), "Resize without a terminal", executor.FailedPrecondition)
	ended := t.workload(s, Step{Action: Exit, N: 7})
	ended.terminal(firstSize)
	s.create(ended)
	s.released(ended)
	t.wantCode(resize(ended), "Resize of what has ended", executor.FailedPrecondition)
}
