package minishim

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/spool"
	"golang.org/x/sys/unix"
)

// drainTimeout is how long a deletion waits for output.
const drainTimeout = 10 * time.Second

// container is a container that was made.
type container struct {
	id, bundle string
	runc       runc
	spec       spec
	out        *output
	pid        int
	started    atomic.Bool
	reaper     *reaper
	exit       exit
	exited     chan struct{} // closed when exit is known
}

// exit is the end of a container. In the bundle it outlives this process; the
// form is that of containerd's shims.
type exit struct {
	Timestamp time.Time
	Pid       int
	Status    uint32
}

// newContainer makes a container whose first process waits for its start, or
// leaves nothing behind.
func newContainer(ctx context.Context, namespace string, reaper *reaper, r *taskapi.CreateTaskRequest) (*container, error) {
	var o options.Options
	if r.GetOptions() != nil {
		if err := r.GetOptions().UnmarshalTo(&o); err != nil {
			return nil, fmt.Errorf("options: %w: %w", err, errdefs.ErrInvalidArgument)
		}
	}
	c := &container{id: r.GetID(), bundle: r.GetBundle(), runc: newRunc(namespace, r, &o), reaper: reaper, exited: make(chan struct{})}
	var err error
	if c.spec, err = readSpec(c.bundle); err != nil {
		return nil, err
	}
	if c.out, err = openOutput(r.GetStdin(), r.GetStdout(), r.GetStderr(), int(o.GetIoUid()), int(o.GetIoGid())); err != nil {
		return nil, err
	}
	pidFile := filepath.Join(c.bundle, "init.pid")
	args := []string{"create", "--bundle", c.bundle, "--pid-file", pidFile}
	if o.GetNoPivotRoot() {
		args = append(args, "--no-pivot")
	}
	if o.GetNoNewKeyring() {
		args = append(args, "--no-new-keyring")
	}
	reaper.RLock() // its end must not be seen before its pid is known
	err = c.runc.call(ctx, c.out.child, append(args, c.id)...)
	c.out.handedOver()
	if err == nil {
		c.pid, err = readPID(pidFile)
	}
	reaper.pid, reaper.ended = c.pid, c.reaped
	reaper.RUnlock()
	if err != nil {
		c.out.end(context.Background())
		return nil, fmt.Errorf("OCI runtime create failed: %w", err)
	}
	spool.InShim(c.id, r.GetStdout(), r.GetStderr(), c.pid)
	return c, nil
}

func readPID(file string) (int, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// start lets the workload run.
func (c *container) start(ctx context.Context) error {
	if c.ended() || c.started.Load() {
		return fmt.Errorf("container %s was started already: %w", c.id, errdefs.ErrFailedPrecondition)
	}
	done, err := c.state().release(c.exited)
	if !done {
		err = c.call(ctx, "start", c.id)
	}
	if err != nil {
		return fmt.Errorf("OCI runtime start failed: %w", err)
	}
	c.started.Store(true)
	return nil
}

// reaped notes the end of the first process.
func (c *container) reaped(ws unix.WaitStatus) {
	c.exit = exit{Timestamp: time.Now(), Pid: c.pid, Status: uint32(ws.ExitStatus())}
	if ws.Signaled() {
		c.exit.Status = 128 + uint32(ws.Signal())
	}
	if note, err := json.Marshal(c.exit); err == nil {
		file := filepath.Join(c.bundle, "exit.json")
		if os.WriteFile(file+"~", note, 0o600) == nil {
			_ = os.Rename(file+"~", file)
		}
	}
	if !c.spec.ownPIDs {
		// Nobody else ends what it leaves behind.
		_ = c.runc.call(context.Background(), nil, "kill", "--all", c.id, "KILL")
	}
	close(c.exited)
}

// call calls the runtime about a container that exists.
func (c *container) call(ctx context.Context, args ...string) error {
	c.reaper.RLock()
	defer c.reaper.RUnlock()
	return c.runc.call(ctx, nil, args...)
}

// state is what runc has of the container on disk.
func (c *container) state() state {
	return state{dir: filepath.Join(c.runc.root, c.id), usable: c.spec.plain && c.runc.root != "" && !c.runc.systemd}
}

func (c *container) ended() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// kill sends a signal to the first process, or to all.
func (c *container) kill(ctx context.Context, sig unix.Signal, all bool) error {
	c.reaper.RLock()
	defer c.reaper.RUnlock()
	if c.ended() {
		return fmt.Errorf("container %s has ended: %w", c.id, errdefs.ErrNotFound)
	}
	number := strconv.Itoa(int(sig))
	switch {
	case all && !c.spec.ownPIDs:
		return c.runc.call(ctx, nil, "kill", "--all", c.id, number)
	case c.state().cgroups() == nil && sig != unix.SIGKILL:
		// The process may be a sandbox and not the workload's.
		return c.runc.call(ctx, nil, "kill", c.id, number)
	}
	return unix.Kill(c.pid, sig)
}

// delete waits until the output has drained, and removes what runc holds.
func (c *container) delete(ctx context.Context) error {
	if !c.ended() {
		return fmt.Errorf("container %s has not ended: %w", c.id, errdefs.ErrFailedPrecondition)
	}
	draining, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	c.out.end(draining)
	if c.state().remove() {
		return nil
	}
	if err := c.call(ctx, "delete", "--force", c.id); err != nil {
		return fmt.Errorf("OCI runtime delete failed: %w", err)
	}
	return nil
}
