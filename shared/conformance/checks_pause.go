package conformance

import (
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(140, transport.MethodPause.Name,
	Check{Name: "pause", Capability: executor.CapPause, run: checkPause,
		Duty: "A paused workload does not run until Resume, and List shows which of both it is; repeating either changes nothing.",
		Hint: "Freeze all processes of the workload before Pause returns: a stop signal to the first one is not enough."},
	Check{Name: "pause-restart", Capability: executor.CapPause, run: checkPauseRestart,
		Duty: "A paused workload stays so over the death of the executor, and the next one resumes it.",
		Hint: "Ask the system that runs the workload whether it is paused; keep nothing of it in memory."},
	Check{Name: "resume", Method: transport.MethodResume.Name, Capability: executor.CapPause, run: checkResume,
		Duty: "A resumed workload runs on from where it was paused, and ends as if it had not been.",
		Hint: "Thaw all processes before Resume returns."},
	Check{Name: "pause-kill", Capability: executor.CapPause, run: checkPauseKill,
		Duty: "SIGKILL ends a paused workload.",
		Hint: "Frozen processes may get the signal only when they are thawed: thaw them after SIGKILL."},
	Check{Name: "pause-ended", Capability: executor.CapPause, run: checkPauseEnded,
		Duty: "Pause and Resume of an attempt that has ended are FailedPrecondition, of an unknown one NotFound.",
		Hint: "An attempt that has ended is known until Delete."},
)

// pausedFor is how long the check watches a paused workload for signs that it runs. A
// running workload looks for its files every few milliseconds.
const pausedFor = 100 * time.Millisecond

func (s *subject) pause(w *workload) {
	_, err := do(s.t.ctx, s, transport.MethodPause, w.Ref)
	s.t.must(err, "Pause of %s", w.Ref)
}

func (s *subject) resume(w *workload) {
	_, err := do(s.t.ctx, s, transport.MethodResume, w.Ref)
	s.t.must(err, "Resume of %s", w.Ref)
}

func (s *subject) wantState(w *workload, state executor.State, when string) {
	if got := s.List()[w.Ref].State; got != state {
		s.t.errorf("%s: the state is %q, want %q", when, got, state)
	}
}

// wantFrozen reports a paused workload that goes on when the file exists for which it
// waits.
func (w *workload) wantFrozen() {
	w.touch("go")
	time.Sleep(pausedFor)
	if w.lines("went") != nil {
		w.t.errorf("%s runs although it is paused", w.Ref)
	}
}

// pausable are steps that wait for the file "go", and mark "went".
var pausable = []Step{ready, untilGo, {Action: Mark, File: "went", Text: "x"}, {Action: Exit, N: 7}}

func checkPause(t *trial) {
	s := t.open()
	w := s.launch(pausable...)
	w.awaitFile("ready")
	s.pause(w)
	s.wantState(w, executor.Paused, "List after Pause")
	s.pause(w)
	s.wantState(w, executor.Paused, "List after Pause, repeated")
	w.wantFrozen()
	s.resume(w)
	s.wantExit(w, 7)
}

func checkPauseRestart(t *trial) {
	s := t.open()
	w := s.launch(pausable...)
	w.awaitFile("ready")
	s.pause(w)
	s.kill()
	s.start()
	s.wantState(w, executor.Paused, "List after the restart")
	if got := s.restore(w).State; got != executor.Paused {
		t.errorf("Restore after the restart: the state is %q, want %q", got, executor.Paused)
	}
	w.wantFrozen()
	s.resume(w)
	s.wantExit(w, 7)
}

func checkResume(t *trial) {
	s := t.open()
	w := s.launch(pausable...)
	w.awaitFile("ready")
	s.pause(w)
	s.resume(w)
	s.resume(w)
	s.wantState(w, executor.Running, "List after Resume")
	w.touch("go")
	w.awaitFile("went")
	s.wantExit(w, 7)
}

func checkPauseKill(t *trial) {
	s := t.open()
	w := s.launch(pausable...)
	w.awaitFile("ready")
	s.pause(w)
	t.must(s.Signal(w.Ref, syscall.SIGKILL), "Signal SIGKILL to a paused workload")
	s.wantExit(w, 128+int(syscall.SIGKILL))
}

func checkPauseEnded(t *trial) {
	s := t.open()
	unknown := t.workload(s, untilGo)
	w := s.launch(Step{Action: Exit, N: 7})
	s.released(w)
	for _, method := range []*transport.Method[executor.Ref, transport.None]{transport.MethodPause, transport.MethodResume} {
		_, err := do(t.ctx, s, method, w.Ref)
		t.wantCode(err, method.Name+" of what has ended", executor.FailedPrecondition)
		_, err = do(t.ctx, s, method, unknown.Ref)
		t.wantCode(err, method.Name+" of an unknown container", executor.NotFound)
	}
}
