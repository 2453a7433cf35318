package containerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	leasesapi "github.com/containerd/containerd/api/services/leases/v1"
	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
	"google.golang.org/grpc/metadata"
)

// Labels on the lease and the snapshot of a root file system, beside labelHost,
// labelBackend, labelState and labelID.
const (
	// labelSnapshotter is the snapshotter that made the snapshot.
	labelSnapshotter = "davit.run/snapshotter"
	// labelImage is the digest of the image.
	labelImage = "davit.run/image"
)

// root is the root file system of a container: a lease, and a snapshot of the same name
// that the lease keeps from containerd's garbage collection. The lease is made first and
// removed last, so that it stands for the whole: a step that was interrupted has left
// nothing that the lease does not lead to.
type root struct {
	id, cid, snapshotter string
}

// imageContext returns the context for calls about images and snapshots: in containerd
// these have a namespace, which need not be that of the containers.
func (d *driver) imageContext(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, headerNamespace, d.config.ImageNamespace)
}

// leased returns a context in which what is made belongs to the lease of r.
func (r root) leased(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "containerd-lease", r.cid)
}

// rootsDir is the directory in the StateDir in which root file systems are mounted.
const rootsDir = "roots"

func (d *driver) rootPath(id string) string { return filepath.Join(d.roots, id) }

// rootOf returns the root file system of a container, or nil.
func (d *driver) rootOf(ctx context.Context, id string) (*root, error) {
	cid := d.owner.ContainerID(id)
	resp, err := d.conn.leases.List(ctx, &leasesapi.ListRequest{Filters: []string{fmt.Sprintf("id==%q", cid)}})
	if err != nil {
		return nil, err
	}
	for _, l := range resp.GetLeases() {
		if l.GetID() == cid {
			return &root{id: id, cid: cid, snapshotter: l.GetLabels()[labelSnapshotter]}, nil
		}
	}
	return nil, nil
}

// Roots implements [executor.ImageKeeper].
func (b *Backend) Roots(ctx context.Context) (ids []string, err error) {
	d := b.driver
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	filter := fmt.Sprintf("labels.%q==%q,labels.%q==%q", labelHost, d.owner.Host, labelBackend, d.owner.Backend)
	resp, err := d.conn.leases.List(d.imageContext(ctx), &leasesapi.ListRequest{Filters: []string{filter}})
	for _, l := range resp.GetLeases() {
		if id := l.GetLabels()[labelID]; executor.ValidateID(id) == nil && l.GetID() == d.owner.ContainerID(id) {
			ids = append(ids, id)
		}
	}
	return ids, oci.Fault(err)
}

// PrepareRoot implements [executor.ImageKeeper].
func (b *Backend) PrepareRoot(ctx context.Context, id, digest string) (executor.Root, error) {
	d := b.driver
	if err := d.ready(ctx); err != nil {
		return executor.Root{}, err
	}
	ctx = d.imageContext(ctx)
	r, err := d.rootOf(ctx, id)
	made := err == nil && r == nil && digest != ""
	switch {
	case err != nil:
	case made:
		r = &root{id: id, cid: d.owner.ContainerID(id), snapshotter: d.config.Snapshotter}
		err = d.createLease(ctx, *r, digest)
	case r == nil:
		err = executor.Errorf(executor.NotFound, "container %s has no root file system in containerd", id)
	}
	if err == nil {
		err = d.snapshot(ctx, *r, digest)
	}
	if err != nil {
		if made {
			err = errors.Join(err, d.forgetRoot(ctx, id))
		}
		return executor.Root{}, oci.Fault(err)
	}
	path := d.rootPath(id)
	return executor.Root{Path: path, Problem: d.showRoot(ctx, *r, path)}, nil
}

func (d *driver) rootLabels(r root, digest string) map[string]string {
	return map[string]string{
		labelHost: d.owner.Host, labelBackend: d.owner.Backend, labelState: d.env.StateDir,
		labelID: r.id, labelSnapshotter: r.snapshotter, labelImage: digest,
	}
}

func (d *driver) createLease(ctx context.Context, r root, digest string) error {
	_, err := d.conn.leases.Create(ctx, &leasesapi.CreateRequest{ID: r.cid, Labels: d.rootLabels(r, digest)})
	if errdefs.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// snapshot makes the snapshot of a root file system, unless it is there. Without a digest it
// has to be.
func (d *driver) snapshot(ctx context.Context, r root, digest string) error {
	_, err := d.conn.snapshots.Stat(ctx, &snapshotsapi.StatSnapshotRequest{Snapshotter: r.snapshotter, Key: r.cid})
	if !errdefs.IsNotFound(err) {
		return err
	}
	if digest == "" {
		return executor.Errorf(executor.NotFound, "the snapshot %s of snapshotter %s, which is the root file system of container %s, is gone from containerd, with all that the container has written", r.cid, r.snapshotter, r.id)
	}
	m, config, _, err := d.readImage(ctx, digest)
	if err != nil {
		return err
	}
	parent := ""
	if chain := chainIDs(config.RootFS.DiffIDs); len(chain) > 0 {
		parent = chain[len(chain)-1]
	}
	for tries := 0; ; tries++ {
		_, err = d.conn.snapshots.Prepare(r.leased(ctx), &snapshotsapi.PrepareSnapshotRequest{
			Snapshotter: r.snapshotter, Key: r.cid, Parent: parent, Labels: d.rootLabels(r, digest),
		})
		if !errdefs.IsNotFound(err) || tries == 2 { // its garbage collection may take what was just looked at
			break
		}
		if err := d.unpack(ctx, r, m, config); err != nil {
			return err
		}
	}
	if errdefs.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// RemoveRoot implements [executor.ImageKeeper].
func (b *Backend) RemoveRoot(ctx context.Context, id string) error {
	d := b.driver
	if err := d.ready(ctx); err != nil {
		return err
	}
	switch _, err := d.record(ctx, id); {
	case err == nil:
		return executor.Errorf(executor.FailedPrecondition, "container %s has an attempt, which may need its root file system", id)
	case !errdefs.IsNotFound(err):
		return oci.Fault(err)
	}
	return oci.Fault(d.forgetRoot(d.imageContext(ctx), id))
}

// forgetRoot removes a root file system. With the lease goes all that only it has kept,
// also what was left of unpacking an image, and with sync the daemon's collection, which
// alone removes files, is over when the call returns.
func (d *driver) forgetRoot(ctx context.Context, id string) error {
	return d.forgetSnapshot(ctx, d.owner.ContainerID(id), d.rootPath(id))
}

// forgetSnapshot does what forgetRoot does, also for another owner's.
func (d *driver) forgetSnapshot(ctx context.Context, cid, path string) error {
	ctx, cancel := oci.Linger(ctx, grace)
	defer cancel()
	if err := d.hideRoot(path); err != nil {
		return err
	}
	_, err := d.conn.leases.Delete(ctx, &leasesapi.DeleteRequest{ID: cid, Sync: true})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// showRoot mounts a root file system at a path, unless it is mounted, and returns why it
// cannot be. Then there is an empty directory.
func (d *driver) showRoot(ctx context.Context, r root, path string) (problem string) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err.Error()
	}
	own := withoutNamespace(ctx)
	if rec, err := d.record(own, r.id); err == nil && rec.snapshot == snapshotHanded {
		if task, err := d.taskOf(own, r.cid); task != nil || err != nil {
			return "containerd has mounted it for the container, for as long as that runs"
		}
	}
	mounts, err := d.mountsOf(ctx, r)
	if err == nil {
		err = d.mountRoot(path, mounts)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func (d *driver) mountsOf(ctx context.Context, r root) ([]*types.Mount, error) {
	resp, err := d.conn.snapshots.Mounts(ctx, &snapshotsapi.MountsRequest{Snapshotter: r.snapshotter, Key: r.cid})
	return resp.GetMounts(), oci.Fault(err)
}

// mountRoot mounts a snapshot at a path, unless something is mounted there.
func (d *driver) mountRoot(path string, mounts []*types.Mount) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	if mounted, err := isMounted(path); mounted || err != nil {
		return err
	}
	return mountAt(path, mounts)
}

// hideRoot unmounts the root file system at a path. It removes nothing but an empty
// directory.
func (d *driver) hideRoot(path string) error {
	if err := unmount(path); err != nil {
		return fmt.Errorf("root file system: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// layRoot makes the root file system that the spec of p names ready for its task, if it is
// one from an image. Where the shim works in this mount namespace, it finds it mounted at
// its path. Elsewhere, and where the snapshotter's mounts are none that we can make, the
// daemon gets the mounts; so do shims of unknown kinds, of which some pass a snapshot's
// device on to a virtual machine.
func (d *driver) layRoot(ctx context.Context, p *plan, daemon daemonInfo) error {
	if !d.isRoot(p.spec.Root()) {
		return nil
	}
	id := filepath.Base(p.spec.Root())
	if id != p.ref.ID {
		return executor.Errorf(executor.Invalid, "container %s cannot run on the root file system of container %s", p.ref.ID, id)
	}
	ctx = d.imageContext(ctx)
	r, err := d.rootOf(ctx, id)
	if err != nil {
		return oci.Fault(err)
	}
	if r == nil {
		return executor.Errorf(executor.FailedPrecondition, "the lease of container %s, and so its root file system, is gone from containerd", id)
	}
	mounts, err := d.mountsOf(ctx, *r)
	if err != nil {
		return executor.Errorf(executor.CodeOf(err), "root file system of container %s: %w", id, err)
	}
	if p.shim.Kind() != runtimes.KindGeneric && daemon.visible {
		err := d.mountRoot(d.rootPath(id), mounts)
		if err == nil {
			p.snapshot = snapshotMounted
			return nil
		}
		d.log.Debug("containerd is to mount a root file system, which cannot be mounted here", "container", id, "error", err)
	}
	p.snapshot, p.rootfs = snapshotHanded, mounts
	p.spec, err = p.spec.InBundle()
	return err
}

// isRoot reports whether a path is that of a root file system from an image.
func (d *driver) isRoot(path string) bool { return filepath.Dir(path) == d.roots }

// seesRoot reports whether what is at the path of a root file system is its content.
func (d *driver) seesRoot(path string) bool {
	if !d.isRoot(path) {
		return true
	}
	mounted, err := isMounted(path)
	return mounted && err == nil
}
