package conformance

import (
	"syscall"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(90, transport.MethodSignal.Name,
	Check{Name: "signal", run: checkSignal,
		Duty: "Signal reaches the workload's first process, which can handle it.",
		Hint: "Send it to the workload's first process."},
	Check{Name: "signal-ignored", run: checkSignalIgnored,
		Duty: "A workload that ignores a signal lives on, and SIGKILL ends it.",
		Hint: "Pass each signal on as it is; only the host decides to kill."},
	Check{Name: "signal-unknown", run: checkSignalUnknown,
		Duty: "Signal to an unknown container, or to another attempt of a known one, is NotFound.",
		Hint: "Compare the whole ref, the attempt too."},
	Check{Name: "signal-ended", run: checkSignalEnded,
		Duty: "Signal to an attempt that has ended is FailedPrecondition.",
		Hint: "An attempt that has ended is known until Delete: FailedPrecondition, not NotFound."},
)

// ready marks for the check that the steps before it are done.
var ready = Step{Action: Mark, File: "ready", Text: "x"}

func checkSignal(t *trial) {
	s := t.open()
	w := s.launch(Step{Action: Trap, Signal: syscall.SIGTERM, N: 42}, ready, untilGo)
	w.awaitFile("ready")
	t.must(s.Signal(w.Ref, syscall.SIGTERM), "Signal")
	s.wantExit(w, 42)
}

func checkSignalIgnored(t *trial) {
	s := t.open()
	w := s.launch(Step{Action: Ignore, Signal: syscall.SIGTERM}, ready, untilGo,
		Step{Action: Mark, File: "alive", Text: "x"}, Step{Action: Await, File: "never"})
	w.awaitFile("ready")
	t.must(s.Signal(w.Ref, syscall.SIGTERM), "Signal that is ignored")
	w.touch("go")
	w.awaitFile("alive")
	t.wantRunning(s.List()[w.Ref], "List after a signal that is ignored")
	t.must(s.Signal(w.Ref, syscall.SIGKILL), "Signal SIGKILL")
	s.wantExit(w, 128+int(syscall.SIGKILL))
}

func checkSignalUnknown(t *trial) {
	s := t.open()
	unknown := t.workload(s, untilGo)
	t.wantCode(s.Signal(unknown.Ref, syscall.SIGTERM), "Signal to an unknown container", executor.NotFound)

	w := s.launch(untilGo, Step{Action: Exit, N: 7})
	other := w.next(s, untilGo)
	t.wantCode(s.Signal(other.Ref, syscall.SIGKILL), "Signal to attempt 2 where attempt 1 runs", executor.NotFound)
	w.touch("go")
	s.wantExit(w, 7)
}

func checkSignalEnded(t *trial) {
	s := t.open()
	w := s.launch(Step{Action: Exit, N: 7})
	s.released(w)
	t.wantCode(s.Signal(w.Ref, syscall.SIGTERM), "Signal after the end", executor.FailedPrecondition)
}
