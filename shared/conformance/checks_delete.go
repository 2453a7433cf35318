package conformance

import (
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(100, transport.MethodDelete.Name,
	Check{Name: "delete", run: checkDelete,
		Duty: "Delete removes all that is known of an attempt that has ended.",
		Hint: "Delete what List and Restore look at; output files belong to the host."},
	Check{Name: "delete-running", run: checkDeleteRunning,
		Duty: "Delete of a running attempt is FailedPrecondition and leaves it alone.",
		Hint: "Only Signal ends a workload."},
	Check{Name: "delete-unanswered", run: checkDeleteUnanswered, direct: true,
		Duty: "Delete of an attempt that has ended abandons an Exited that the host has not answered.",
		Hint: "Cancel the context of the Host.Exited that is under way, and wait for its end."},
	Check{Name: "delete-unknown", run: checkDeleteUnknown,
		Duty: "Delete of an unknown container, repeated or not, or of another attempt of a known one, does nothing and is no error.",
		Hint: "Compare the whole ref; that there is nothing to delete is no error."},
)

func checkDelete(t *trial) {
	s := t.open()
	w := s.launch(Step{Action: Print, Stream: "stdout", Text: "out"}, Step{Action: Exit, N: 7})
	s.released(w)
	t.must(s.Delete(w.Ref), "Delete")
	s.wantUnknown(w.Ref, "after Delete")
	w.wantOutput(w.stdout, "stdout after Delete", "out\n")
}

func checkDeleteRunning(t *trial) {
	s := t.open()
	w := s.launch(untilGo, Step{Action: Exit, N: 7})
	w.awaitFile(startsFile)
	t.wantCode(s.Delete(w.Ref), "Delete of a running attempt", executor.FailedPrecondition)
	t.wantRunning(s.List()[w.Ref], "List afterwards")
	w.touch("go")
	s.wantExit(w, 7)
}

func checkDeleteUnanswered(t *trial) {
	s := t.open()
	release := s.host.block()
	defer release()
	w := s.launch(Step{Action: Exit, N: 3})
	s.await(exitCalled, w.Ref)
	t.must(s.Delete(w.Ref), "Delete while Exited is not answered")
}

func checkDeleteUnknown(t *trial) {
	s := t.open()
	unknown := t.workload(s, untilGo)
	t.must(s.Delete(unknown.Ref), "Delete of an unknown container")

	w := s.launch(Step{Action: Exit, N: 7})
	s.released(w)
	t.must(s.Delete(w.next(s).Ref), "Delete of attempt 2 where attempt 1 has ended")
	t.wantCodeOf(s.List()[w.Ref], "List of attempt 1 afterwards", 7)
	t.must(s.Delete(w.Ref), "Delete")
	t.must(s.Delete(w.Ref), "Delete, repeated")
	_, err := s.Restore(w.Ref, executor.Stdio{})
	t.wantCode(err, "Restore afterwards", executor.NotFound)
}
