package shim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/quirks"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// Strays implements [executor.StrayKeeper]. Strays are shims whose bundle is gone, or has
// no record beside it. What is needed to adopt their containers went with that.
func (b *Backend) Strays(ctx context.Context) ([]executor.Stray, error) {
	d := b.driver
	pids, err := linux.PIDs()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var all []executor.Stray
	for _, pid := range pids {
		id, cid, ok := d.bundleOf(pid)
		if !ok || seen[cid] || d.recorded(id) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		seen[cid] = true
		all = append(all, executor.Stray{
			Key:     cid,
			Status:  d.strayStatus(ctx, executor.Ref{ID: id, Attempt: 1}, cid),
			What:    fmt.Sprintf("shim %d of container %s, whose directory in %s is lost", pid, cid, d.state.dir),
			Problem: "what the executor had recorded of it is lost",
		})
	}
	return all, nil
}

// strayStatus asks the shim of a stray for its state. Only davit's own shims are found
// without a record; others are taken to run.
func (d *driver) strayStatus(ctx context.Context, ref executor.Ref, cid string) executor.Status {
	status := executor.Status{Ref: ref, State: executor.Running}
	t, err := d.reach(ctx, record{Ref: ref, CID: cid, Namespace: d.config.Namespace})
	if err != nil {
		return status
	}
	defer t.close()
	st, err := t.state(ctx)
	if err != nil {
		return status
	}
	status.PID = int(st.GetPid())
	switch st.GetStatus() {
	case tasktypes.Status_STOPPED:
		status.State, status.PID = executor.Exited, 0
		status.Exit = oci.ExitOf(st.GetExitStatus(), st.GetExitedAt().AsTime(), executor.Recovered, oci.OOMSource{})
	case tasktypes.Status_PAUSED:
		status.State = executor.Paused
	}
	return status
}

// bundleOf returns the container in whose bundle a process works, which may be gone.
func (d *driver) bundleOf(pid int) (id, cid string, ok bool) {
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		return "", "", false
	}
	within, ok := strings.CutPrefix(strings.TrimSuffix(cwd, " (deleted)"), d.state.dir+"/")
	id, cid, found := strings.Cut(within, "/")
	ok = ok && found && executor.ValidateID(id) == nil && strings.HasPrefix(cid, id+"-") && filepath.Base(cid) == cid
	return id, cid, ok
}

// recorded reports whether there is a record of an id, also one that cannot be read.
func (d *driver) recorded(id string) bool {
	_, err := os.Lstat(filepath.Join(d.state.path(id), recordFile))
	return err == nil
}

// AdoptStray implements [executor.StrayKeeper].
func (b *Backend) AdoptStray(_ context.Context, ref executor.Ref, key string) (executor.Status, error) {
	for _, stray := range b.driver.straysOf(ref.ID, key) {
		_ = stray.Close()
		return executor.Status{}, executor.Errorf(executor.FailedPrecondition, "container %s: what the executor had recorded of it is lost", key)
	}
	return executor.Status{}, executor.Errorf(executor.NotFound, "there is no shim of %s without a record", key)
}

// RemoveStray implements [executor.StrayKeeper].
func (b *Backend) RemoveStray(ctx context.Context, ref executor.Ref, key string) error {
	d := b.driver
	r := record{Ref: ref, CID: key, Boot: d.boot}
	left := d.straysOf(ref.ID, key)
	if len(left) == 0 {
		return nil
	}
	sockets := []string{d.ownSocket(r)}
	for _, p := range left {
		sockets = append(sockets, socketsOf(p.PID)...)
	}
	for wait := time.Millisecond; len(left) > 0; wait = min(2*wait, 50*time.Millisecond) {
		for _, p := range left {
			_ = p.Signal(unix.SIGKILL)
			_ = p.Close()
		}
		if !oci.Pause(ctx, wait) {
			return ctx.Err()
		}
		left = d.straysOf(ref.ID, key)
	}
	var errs []error
	states, _ := filepath.Glob(filepath.Join(d.env.RunDir, "runc", "*", key))
	for _, state := range states {
		o := quirks.Orphan{Binary: "runc", Root: filepath.Dir(state), ID: key}
		if err := o.Remove(ctx, "/", oci.Environ()); err != nil {
			d.log.Warn("the runtime could not remove a stray; it is ended by force", "container", key, "error", err)
		}
		errs = append(errs, d.endRemains(ctx, r), os.RemoveAll(state))
	}
	errs = append(errs, d.endRemains(ctx, r), os.RemoveAll(d.state.path(ref.ID)))
	for _, socket := range sockets {
		errs = append(errs, removeSocket(socket))
	}
	d.cgroups.Tidy()
	return errors.Join(errs...)
}

// straysOf returns the processes that work in the bundle of a container without a record.
// The caller closes them.
func (d *driver) straysOf(id, cid string) []*linux.Process {
	if d.recorded(id) {
		return nil
	}
	found, _ := linux.FindProcesses(func(pid int) bool {
		ofID, ofCID, ok := d.bundleOf(pid)
		return ok && ofID == id && ofCID == cid
	})
	return found
}
