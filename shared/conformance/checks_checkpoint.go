package conformance

import (
	"os"
	"path/filepath"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(157, transport.MethodCheckpoint.Name,
	Check{Name: "checkpoint", Capability: executor.CapCheckpoint, run: checkCheckpoint,
		Duty: "A checkpoint appears complete at its path, and a workload that it leaves running runs on; repeating the call changes nothing. After an error there is nothing at the path, and the workload runs on.",
		Hint: "Write into a directory beside the path, and rename it. Return the error of what makes the checkpoint, and remove what it has left."},
	Check{Name: "checkpoint-end", Capability: executor.CapCheckpoint, run: checkCheckpointEnd,
		Duty: "A checkpoint that does not leave the workload running ends it, which is reported; the call can be repeated after that, and the next attempt goes on from the checkpoint.",
		Hint: "Look whether the directory is there before you look whether the attempt runs."},
	Check{Name: "checkpoint-ended", Capability: executor.CapCheckpoint, run: checkCheckpointEnded,
		Duty: "Checkpoint of an attempt that has ended is FailedPrecondition, of an unknown one NotFound, and a relative path is Invalid; nothing is made.",
		Hint: "An attempt that has ended is known until Delete."},
	Check{Name: "checkpoint-missing", Method: transport.MethodCreate.Name, Capability: executor.CapCheckpoint, run: checkCheckpointMissing,
		Duty: "Create from a checkpoint that does not exist is an error, after which nothing is left and nothing has run.",
		Hint: "Heed Workload.Checkpoint. A workload that begins anew instead is not what was asked for."},
)

// checkpointDir returns where a checkpoint is to appear.
func (w *workload) checkpointDir() string {
	return filepath.Join(w.t.subdir(w.Ref.ID+"-checkpoints"), "one")
}

func (s *subject) checkpoint(w *workload, dir string, leaveRunning bool) error {
	_, err := do(s.t.ctx, s, transport.MethodCheckpoint, transport.CheckpointRequest{Ref: w.Ref, Checkpoint: executor.Checkpoint{Dir: dir, LeaveRunning: leaveRunning}})
	return err
}

// tryCheckpoint makes a checkpoint of a workload of the steps pausable, which is ready. If the
// backend refuses, it checks that the workload runs on and skips the rest.
func (s *subject) tryCheckpoint(w *workload, dir string, leaveRunning bool) {
	err := s.checkpoint(w, dir, leaveRunning)
	switch executor.CodeOf(err) {
	case executor.FailedPrecondition, executor.Unsupported:
		s.wantState(w, executor.Running, "List after a refused Checkpoint")
		s.wantNothingAt(dir)
		w.touch("go")
		s.wantExit(w, 7)
		s.t.skipf("%v", err)
	}
	s.t.must(err, "Checkpoint of %s", w.Ref)
	if _, err := os.Stat(dir); err != nil {
		s.t.errorf("after Checkpoint there is no checkpoint: %v", err)
	}
}

// wantNothingAt reports what is left of a checkpoint that was refused.
func (s *subject) wantNothingAt(dir string) {
	left, err := os.ReadDir(filepath.Dir(dir))
	s.t.must(err, "looking for what is left")
	for _, e := range left {
		s.t.errorf("a Checkpoint that was refused has left %s", e.Name())
	}
}

func checkCheckpoint(t *trial) {
	s := t.open()
	w := s.launch(pausable...)
	w.awaitFile("ready")
	dir := w.checkpointDir()
	s.tryCheckpoint(w, dir, true)
	s.wantState(w, executor.Running, "List after Checkpoint")
	t.must(s.checkpoint(w, dir, true), "Checkpoint, repeated")
	s.wantState(w, executor.Running, "List after Checkpoint, repeated")
	w.touch("go")
	s.wantExit(w, 7)
}

func checkCheckpointEnd(t *trial) {
	s := t.open()
	w := s.launch(pausable...)
	w.awaitFile("ready")
	dir := w.checkpointDir()
	s.tryCheckpoint(w, dir, false)
	s.released(w)
	t.must(s.checkpoint(w, dir, false), "Checkpoint, repeated after the end")
	again := w.next(s, pausable...)
	again.Checkpoint = dir
	_, err := s.Create(t.ctx, again.Workload)
	t.must(err, "Create of %s from the checkpoint", again.Ref)
	s.wantState(again, executor.Running, "List after Create from the checkpoint")
	again.touch("go")
	s.wantExit(again, 7)
}

func checkCheckpointEnded(t *trial) {
	s := t.open()
	unknown := t.workload(s, untilGo)
	w := s.launch(Step{Action: Exit, N: 7})
	s.released(w)
	dir := w.checkpointDir()
	t.wantCode(s.checkpoint(w, dir, false), "checkpoint of what has ended", executor.FailedPrecondition)
	t.wantCode(s.checkpoint(unknown, dir, false), "checkpoint of an unknown container", executor.NotFound)
	t.wantCode(s.checkpoint(w, "checkpoint", false), "checkpoint with a relative path", executor.Invalid)
	s.wantNothingAt(dir)
}

func checkCheckpointMissing(t *trial) {
	s := t.open()
	w := t.workload(s, Step{Action: Exit, N: 7})
	w.Checkpoint = w.checkpointDir()
	_, err := s.Create(t.ctx, w.Workload)
	if err == nil {
		t.errorf("Create from a checkpoint that does not exist succeeds")
		s.released(w)
		return
	}
	if status, listed := s.List()[w.Ref]; listed {
		t.errorf("after a Create that failed, List shows %s as %s", w.Ref, status.State)
	}
	w.wantStarts()
}
