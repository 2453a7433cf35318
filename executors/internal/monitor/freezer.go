package monitor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Pause freezes all processes of a workload, which must have a cgroup that can be
// frozen. When it returns nil, none of them runs until Resume. The error is
// [executor.FailedPrecondition] if the workload has ended, or does not run yet.
func Pause(ctx context.Context, dir string) error {
	f, err := running(dir)
	if err != nil {
		return err
	}
	return f.cgroup.freeze(ctx)
}

// Resume lets a workload continue. Its errors are those of Pause.
func Resume(dir string) error {
	f, err := running(dir)
	if err != nil {
		return err
	}
	return f.cgroup.thaw()
}

// running finds a workload that runs and can be frozen.
func running(dir string) (finding, error) {
	f, err := look(dir)
	switch {
	case err != nil:
		return f, err
	case f.Phase != Running:
		return f, errNotRunning()
	case f.cgroup.Freezer == "":
		return f, executor.Errorf(executor.Unsupported, "pausing needs a cgroup that can be frozen, and this workload has none")
	}
	return f, nil
}

// freezer is the file that freezes a cgroup, and the values that are written to it.
type freezer struct{ file, freeze, thaw string }

func (c Cgroup) freezer() freezer {
	for _, dir := range c.Dirs {
		if dir.Path == c.Freezer && dir.Home != "" {
			return freezer{path.Join(dir.Path, "freezer.state"), "FROZEN", "THAWED"}
		}
	}
	return freezer{path.Join(c.Freezer, "cgroup.freeze"), "1", "0"}
}

// freeze freezes the processes within, and waits until none runs.
func (c Cgroup) freeze(ctx context.Context) error {
	f := c.freezer()
	for d := 100 * time.Microsecond; ; d = min(2*d, 10*time.Millisecond) {
		// In version 1, writing again finds what has forked meanwhile.
		if err := os.WriteFile(f.file, []byte(f.freeze), 0); err != nil {
			return freezeError(err)
		}
		frozen, err := c.frozen()
		if frozen || err != nil {
			return freezeError(err)
		}
		if !pause(ctx, d) {
			return errors.Join(fmt.Errorf("the workload does not freeze: %w", ctx.Err()), c.thaw())
		}
	}
}

// thaw lets the processes within continue.
func (c Cgroup) thaw() error {
	f := c.freezer()
	return freezeError(os.WriteFile(f.file, []byte(f.thaw), 0))
}

// freezeError returns the error for a workload that has ended if its cgroup is gone,
// else err.
func freezeError(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return errNotRunning()
	}
	return err
}

// frozen reports whether no process within runs.
func (c Cgroup) frozen() (bool, error) {
	f := c.freezer()
	if f.freeze == "FROZEN" {
		b, err := os.ReadFile(f.file)
		return strings.TrimSpace(string(b)) == f.freeze, err
	}
	b, err := os.ReadFile(path.Join(c.Freezer, "cgroup.events"))
	for line := range strings.Lines(string(b)) {
		if strings.TrimSpace(line) == "frozen 1" {
			return true, nil
		}
	}
	return false, err
}
