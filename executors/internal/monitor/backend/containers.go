package backend

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/fifo"
	"github.com/davit-run/davit/shared/linux"
	"github.com/hashicorp/go-hclog"
)

// containers is the directory of a backend's containers, or that of further processes.
// Each has a name there: see nameOf.
type containers struct {
	fifos *fifo.Holder
	dir   string
	log   hclog.Logger
	hooks Hooks
}

// separator stands between the ids of a container and of a further process.
const separator = "."

// nameOf returns the name of what a ref means, whatever the attempt.
func nameOf(ref executor.Ref) string {
	if ref.Exec != "" {
		return ref.ID + separator + ref.Exec
	}
	return ref.ID
}

func (c *containers) path(id string) string { return filepath.Join(c.dir, id) }

// look returns the status of the attempt of an id. known is false if there is none.
func (c *containers) look(id string) (st executor.Status, phase monitor.Phase, known bool, err error) {
	m, err := monitor.Look(c.path(id))
	if executor.CodeOf(err) == executor.NotFound {
		return st, 0, false, nil
	}
	if err != nil {
		return st, 0, false, err
	}
	var n note
	if err := json.Unmarshal(m.Note, &n); err != nil {
		return st, 0, false, fmt.Errorf("%s: %w", c.path(id), err)
	}
	st = executor.Status{Ref: n.Ref, Runtime: n.Runtime, PID: m.PID, StartedAt: m.StartedAt}
	switch m.Phase {
	case monitor.NeverRan:
	case monitor.Ended:
		st.State, st.Exit = executor.Exited, m.Exit
		if out, err := c.output(id); err == nil {
			st.State, st.Output = executor.Released, out
		}
	default:
		st.State = executor.Running
		if m.Paused {
			st.State = executor.Paused
		}
	}
	return st, m.Phase, true, nil
}

func (c *containers) outputFile(id string) string { return filepath.Join(c.path(id), "output.json") }

func (c *containers) output(id string) (out executor.Output, err error) {
	text, err := linux.ReadFile(c.outputFile(id), 4096)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	return out, err
}

// reserveOutput takes the room for putOutput, so that a full disk does not prevent it.
func (c *containers) reserveOutput(id string) error { return linux.Reserve(c.outputFile(id)) }

func (c *containers) putOutput(id string, out executor.Output) error {
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return linux.WriteWhole(c.outputFile(id), text)
}

// cleanupTimeout bounds the removal of an attempt.
const cleanupTimeout = 20 * time.Second

// discard removes the directory of an id that has no job. A job that was lost while its
// workload runs is no reason to kill it.
func (c *containers) discard(ctx context.Context, id string) error {
	live, err := monitor.Live(c.path(id))
	if err != nil {
		return err
	}
	if live {
		return executor.Errorf(executor.AlreadyExists, "container %s: its job is not recorded any more, and its monitor runs, in %s", id, c.path(id))
	}
	return c.remove(ctx, id)
}

// remove kills and removes the container of an id, in any state.
func (c *containers) remove(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if err := monitor.Kill(ctx, c.path(id)); err != nil {
		return err
	}
	err := monitor.Remove(c.path(id))
	if err == nil && c.hooks.Removed != nil {
		c.hooks.Removed()
	}
	return err
}
