package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/executors/internal/spool"
	"github.com/davit-run/davit/shared/executor"
	"github.com/hashicorp/go-hclog"
)

// Plan checks a workload and says what to run, without making anything. Name,
// Note, Stdout and Stderr of the job are set by the Backend.
type Plan func(ctx context.Context, w executor.Workload) (monitor.Job, error)

// Backend runs workloads under monitors.
type Backend struct {
	host executor.Host
	plan Plan
	dir  string
	log  hclog.Logger
	// guard keeps output within its limit while there is no host that does.
	guard *spool.Guard

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // watchers

	mu       sync.Mutex
	attempts map[string]*attempt // by id; those that are watched or were
	creating map[string]bool     // ids with a Create under way
}

var _ interface {
	executor.Backend
	executor.Closer
} = (*Backend)(nil)

// Open opens a backend in env.StateDir.
func Open(ctx context.Context, env executor.Environment, host executor.Host, plan Plan) (*Backend, error) {
	b := &Backend{
		host:     host,
		plan:     plan,
		dir:      filepath.Join(env.StateDir, "containers"),
		log:      hclog.FromContext(ctx),
		attempts: make(map[string]*attempt),
		creating: make(map[string]bool),
	}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return nil, err
	}
	if err := b.sweep(ctx); err != nil {
		b.log.Warn("what was left behind cannot be removed", "error", err)
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.guard = spool.NewGuard(b.log, spool.Interval)
	return b, nil
}

// sweep removes what is left of creates and deletes that were cut off.
func (b *Backend) sweep(ctx context.Context) error {
	entries, err := os.ReadDir(b.dir)
	for _, e := range entries {
		if _, known, lerr := b.look(e.Name()); !known && lerr == nil {
			err = errors.Join(err, b.destroy(ctx, e.Name()))
		}
	}
	return err
}

// Close stops watching. Workloads run on.
func (b *Backend) Close(context.Context) error {
	b.cancel()
	b.wg.Wait()
	b.guard.Close()
	return nil
}

// note is what a job keeps for us.
type note struct {
	Ref     executor.Ref `json:"ref"`
	Runtime string       `json:"runtime,omitempty"`
}

func (b *Backend) path(id string) string { return filepath.Join(b.dir, id) }

// finding is what is known about the attempt of an id.
type finding struct {
	executor.Status
	phase monitor.Phase
}

// look finds out where the attempt of an id stands. ok is false if there is none.
func (b *Backend) look(id string) (f finding, ok bool, err error) {
	st, err := monitor.Look(b.path(id))
	if executor.CodeOf(err) == executor.NotFound {
		return f, false, nil
	}
	if err != nil {
		return f, false, err
	}
	var n note
	if err := json.Unmarshal(st.Note, &n); err != nil {
		return f, false, fmt.Errorf("%s: %w", b.path(id), err)
	}
	f.phase = st.Phase
	f.Status = executor.Status{Ref: n.Ref, Runtime: n.Runtime, State: executor.Running, PID: st.PID, StartedAt: st.StartedAt}
	if st.Phase == monitor.Ended {
		f.State, f.Exit = executor.Exited, st.Exit
		if out, err := b.output(id); err == nil {
			f.State, f.Output = executor.Released, out
		}
	}
	return f, true, nil
}

const outputFile = "output.json"

func (b *Backend) output(id string) (out executor.Output, err error) {
	text, err := os.ReadFile(filepath.Join(b.path(id), outputFile))
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	return out, err
}

func (b *Backend) putOutput(id string, out executor.Output) error {
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	path := filepath.Join(b.path(id), outputFile)
	if err := os.WriteFile(path+"~", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+"~", path)
}

// destroy removes all of an id, in whatever state it is.
func (b *Backend) destroy(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	dir := b.path(id)
	if err := monitor.Kill(ctx, dir); err != nil {
		return err
	}
	return monitor.Remove(dir)
}

// cleanupTimeout bounds the removal of an attempt.
const cleanupTimeout = 20 * time.Second

func unknown(ref executor.Ref) error {
	return executor.Errorf(executor.NotFound, "container %s is not known", ref)
}

func endedError(ref executor.Ref) error {
	return executor.Errorf(executor.FailedPrecondition, "container %s has ended", ref)
}

// fault gives an error of ctx its code.
func fault(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*executor.Error](err); ok {
		return err
	}
	return executor.Errorf(executor.CodeOf(err), "%w", err)
}
