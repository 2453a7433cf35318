package backend

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/fifo"
	"github.com/davit-run/davit/shared/lifecycle"
	"github.com/hashicorp/go-hclog"
)

// Prepare checks a workload and returns what to run, without making anything. The
// Backend sets Name, Note, Stdout and Stderr of the job.
type Prepare func(ctx context.Context, w executor.Workload) (monitor.Job, error)

// Hooks are what an executor does around its workloads; nil does nothing.
type Hooks struct {
	// Hold is called before a workload is started, and release afterwards.
	Hold func() (release func())
	// Exec checks a further process, as Prepare does a workload. pid is the first process
	// of its attempt, 0 if that does not run. Nil means that there are none.
	Exec func(ctx context.Context, w executor.Workload, pid int) (monitor.Job, error)
	// Removed is called when all that a workload has left is removed.
	Removed func()
}

// Backend runs workloads under monitors. P is the type of their processes, which
// decides the capabilities.
type Backend[P lifecycle.Process] struct {
	*lifecycle.Backend[job, P]
	in *containers
}

// Open opens a backend in env.StateDir. as converts its processes: [Plain] or
// [Freezable].
func Open[P lifecycle.Process](ctx context.Context, env executor.Environment, host executor.Host, as func(*Process) P, prepare Prepare, hooks Hooks) (*Backend[P], error) {
	log := hclog.FromContext(ctx)
	c := containers{dir: filepath.Join(env.StateDir, "containers"), log: log, hooks: hooks, fifos: &fifo.Holder{}}
	if err := c.open(ctx); err != nil {
		return nil, err
	}
	b := &Backend[P]{lifecycle.New(&driver[P]{c, prepare, as}, host, log), &c}
	if hooks.Exec != nil {
		further, err := c.execs(ctx, filepath.Join(env.StateDir, "execs"))
		if err != nil {
			return nil, err
		}
		b.Exec(lifecycle.New(further, host, log))
	}
	return b, nil
}

// Close implements [executor.Closer].
func (b *Backend[P]) Close(ctx context.Context) error {
	err := b.Backend.Close(ctx)
	b.in.fifos.Close()
	return err
}

// open makes the directory, and sweeps it.
func (c *containers) open(ctx context.Context) error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	if err := c.sweep(ctx); err != nil {
		c.log.Warn("remains of earlier containers cannot be removed", "error", err)
	}
	return nil
}

// sweep removes remains of creates and deletes that were cut off. Nothing works on them.
func (c *containers) sweep(ctx context.Context) error {
	entries, err := os.ReadDir(c.dir)
	for _, e := range entries {
		if _, _, known, lerr := c.look(e.Name()); !known && lerr == nil {
			err = errors.Join(err, c.discard(ctx, e.Name()))
		}
	}
	return err
}
