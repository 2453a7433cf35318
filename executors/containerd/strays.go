package containerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// isStray reports whether a container is one of a davit that is lost: the directory with
// the state of the executor that made it is gone, or is ours and belongs to a host of
// another id now.
func (d *driver) isStray(c *containersapi.Container) bool {
	l := c.GetLabels()
	state := l[labelState]
	switch {
	case state == "", l[labelHost] == d.owner.Host && l[labelBackend] == d.owner.Backend:
		return false
	case state == d.env.StateDir:
		return true
	}
	_, err := os.Stat(state)
	return errors.Is(err, fs.ErrNotExist)
}

// Strays implements [executor.StrayKeeper].
func (b *Backend) Strays(ctx context.Context) ([]executor.Stray, error) {
	d := b.driver
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	var all []executor.Stray
	err := d.scan(ctx, fmt.Sprintf("labels.%q", labelState), func(c *containersapi.Container) error {
		if !d.isStray(c) {
			return nil
		}
		r, err := parse(c)
		if err != nil {
			return nil //nolint:nilerr // it is not ours to judge
		}
		task, err := d.taskOf(ctx, r.cid)
		if err != nil {
			return err
		}
		st := d.found(r, task).Status
		if st.State == "" {
			st.State, st.Exit = executor.Exited, executor.LostExit("the attempt was never started")
		}
		l := c.GetLabels()
		problem := ""
		if r.snapshot != "" {
			problem = "its root file system is a snapshot in containerd, whose lease names the lost host"
		}
		all = append(all, executor.Stray{
			Key: r.cid, Problem: problem, Status: st, Host: l[labelHost], Backend: l[labelBackend],
			What: fmt.Sprintf("container %s in containerd at %s, of backend %s of a host whose state in %s is lost", r.cid, d.conn.address, l[labelBackend], l[labelState]),
		})
		return nil
	})
	return all, oci.Fault(err)
}

// stray returns the record of a stray. ours says that it was adopted already. The error is
// [executor.NotFound] if there is none.
func (d *driver) stray(ctx context.Context, ref executor.Ref, key string) (r record, ours bool, err error) {
	if err := d.ready(ctx); err != nil {
		return r, false, err
	}
	resp, err := d.conn.containers.Get(ctx, &containersapi.GetContainerRequest{ID: key})
	if errdefs.IsNotFound(err) {
		return r, false, executor.Errorf(executor.NotFound, "there is no container %s in containerd", key)
	}
	if err != nil {
		return r, false, oci.Fault(err)
	}
	if r, err = parse(resp.GetContainer()); err != nil {
		return r, false, err
	}
	ours = d.owns(resp.GetContainer())
	if r.ref != ref || !ours && !d.isStray(resp.GetContainer()) {
		return r, false, executor.Errorf(executor.NotFound, "container %s in containerd is no stray", key)
	}
	return r, ours, nil
}

// AdoptStray implements [executor.StrayKeeper].
func (b *Backend) AdoptStray(ctx context.Context, ref executor.Ref, key string) (executor.Status, error) {
	d := b.driver
	r, ours, err := d.stray(ctx, ref, key)
	if err != nil {
		return executor.Status{}, err
	}
	if !ours {
		if r.snapshot != "" {
			return executor.Status{}, executor.Errorf(executor.FailedPrecondition, "container %s cannot be adopted: its root file system is a snapshot in containerd, whose lease names the lost host", r.cid)
		}
		if err := d.take(ctx, r); err != nil {
			return executor.Status{}, oci.Fault(err)
		}
	}
	task, err := d.taskOf(ctx, r.cid)
	if err != nil {
		return executor.Status{}, oci.Fault(err)
	}
	return d.found(r, task).Status, nil
}

// take makes a container of another owner our own. It keeps its id in containerd, of which
// its shim has made names of its own.
func (d *driver) take(ctx context.Context, r record) error {
	if _, err := d.record(ctx, r.ref.ID); !errdefs.IsNotFound(err) {
		return errors.Join(err, executor.Errorf(executor.AlreadyExists, "container %s is known already", r.ref.ID))
	}
	task, err := d.taskOf(ctx, r.cid)
	if err != nil {
		return err
	}
	if _, marked := d.marks.read(r.cid, r.ref.Attempt); !marked && task != nil {
		pid := int(task.GetPid())
		m := mark{Attempt: r.ref.Attempt, StartedAt: r.createdAt, OOM: oci.OOMSourceOf(pid), Errors: r.errors}
		if err := d.marks.write(r.cid, m, pid); err != nil {
			return err
		}
	}
	labels := map[string]string{labelHost: d.owner.Host, labelBackend: d.owner.Backend, labelState: d.env.StateDir}
	paths := make([]string, 0, len(labels))
	for key := range labels {
		paths = append(paths, "labels."+key)
	}
	_, err = d.conn.containers.Update(ctx, &containersapi.UpdateContainerRequest{
		Container:  &containersapi.Container{ID: r.cid, Labels: labels},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: paths},
	})
	if err == nil {
		d.cids.set(r.ref.ID, r.cid)
	}
	return err
}

// RemoveStray implements [executor.StrayKeeper].
func (b *Backend) RemoveStray(ctx context.Context, ref executor.Ref, key string) error {
	r, ours, err := b.driver.stray(ctx, ref, key)
	switch {
	case errors.Is(err, executor.NotFound):
		return nil
	case err != nil:
		return err
	case ours:
		return executor.Errorf(executor.FailedPrecondition, "container %s is no stray any more", ref)
	}
	state := ""
	if r.snapshot != "" {
		state = b.driver.stateOf(ctx, r.cid)
	}
	if err := b.driver.removeAttempt(ctx, r, nil); err != nil || state == "" {
		return oci.Fault(err)
	}
	return oci.Fault(b.driver.forgetSnapshot(b.driver.imageContext(ctx), r.cid, filepath.Join(state, rootsDir, r.ref.ID)))
}

// stateOf returns the StateDir of the executor that made a container, empty if that is not
// known.
func (d *driver) stateOf(ctx context.Context, cid string) string {
	resp, _ := d.conn.containers.Get(ctx, &containersapi.GetContainerRequest{ID: cid})
	return resp.GetContainer().GetLabels()[labelState]
}
