package memory

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// Checkpoint implements [lifecycle.Checkpointer]. A workload has no state but its files: what
// is restored runs its program again.
func (p *process) Checkpoint(ctx context.Context, c executor.Checkpoint) error {
	if p.exit() != nil {
		return lifecycle.ErrEnded
	}
	draft := filepath.Join(filepath.Dir(c.Dir), "."+filepath.Base(c.Dir))
	err := os.MkdirAll(draft, 0o700)
	if err == nil {
		err = writeJSON(filepath.Join(draft, checkpointFile), p.rec)
	}
	if err == nil {
		err = os.Rename(draft, c.Dir)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(draft))
	}
	if c.LeaveRunning {
		return nil
	}
	if err := p.send(ctx, byte(syscall.SIGKILL)); err != nil && !errors.Is(err, lifecycle.ErrEnded) {
		return executor.Errorf(executor.OutcomeUnknown, "%s is written down, and does not end: %w", p.rec.Ref, err)
	}
	return nil
}

const checkpointFile = "checkpoint.json"

func isCheckpoint(dir string) bool {
	var r record
	return readJSON(filepath.Join(dir, checkpointFile), &r) == nil
}
