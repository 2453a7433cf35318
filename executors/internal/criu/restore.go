package criu

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
)

// Restore says from what a workload goes on. The zero value is a workload that begins.
type Restore struct {
	// Images is the directory of the checkpoint, and Work the one for CRIU's logs.
	Images, Work string
}

// RestoreOf returns from what a workload goes on, and sets the options of its runtime for
// that. The error is [executor.NotFound] if there is no such checkpoint.
func RestoreOf(w executor.Workload, r *runtimes.Resolved) (Restore, error) {
	if w.Checkpoint == "" {
		return Restore{}, nil
	}
	if r.Kind() != runtimes.KindRunc {
		return Restore{}, Unsupported(r.Shim)
	}
	if info, err := os.Stat(w.Checkpoint); err != nil || !info.IsDir() {
		return Restore{}, executor.Errorf(executor.NotFound, "%s: there is no checkpoint at %s", w.Ref, w.Checkpoint)
	}
	o := Restore{w.Checkpoint, filepath.Join(filepath.Dir(w.Checkpoint), fmt.Sprintf(".restore-%d", w.Ref.Attempt))}
	r.Options.CriuImagePath, r.Options.CriuWorkPath = &o.Images, &o.Work
	return o, nil
}

// Unsupported returns the error for a shim that knows no checkpoints.
func Unsupported(shim string) error {
	return executor.Errorf(executor.Unsupported, "the shim %s knows no checkpoints; those of runc do, such as %s", shim, runtimes.ShimRuncV2)
}

// Explain explains why the start of a workload has failed, and removes CRIU's logs. It
// returns err for one that begins.
func (o Restore) Explain(err error, path string) error {
	if o == (Restore{}) {
		return err
	}
	if err != nil {
		err = ExplainRestore(err, o.Work, path)
	}
	o.Done()
	return err
}

// Done removes what a start has left of CRIU's logs.
func (o Restore) Done() {
	if o.Work != "" {
		_ = os.RemoveAll(o.Work)
	}
}
