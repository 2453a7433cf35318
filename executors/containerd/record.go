package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// Labels on a container's record in containerd. By them an executor without memory
// finds an attempt and knows its end.
const (
	labelHost    = "davit.run/host"
	labelBackend = "davit.run/backend"
	// labelState is the StateDir of the executor. A container is lost with it.
	labelState   = "davit.run/state"
	labelID      = "davit.run/id"
	labelAttempt = "davit.run/attempt"
	labelRuntime = "davit.run/runtime"
	labelBoot    = "davit.run/boot"
	// labelBinary is the OCI binary that the shim calls, which may be a wrapper
	// script of ours, empty for the shim's default.
	labelBinary = "davit.run/binary"
	// labelRoot is where the OCI runtime has its state, empty for its own default.
	labelRoot = "davit.run/root"
	// labelErrors is an oci.InitErrors as JSON.
	labelErrors = "davit.run/errors"
	// labelSnapshot says how the container gets a root file system from an image of
	// containerd's, as one of the values that follow; empty if it has another.
	labelSnapshot = "davit.run/snapshot"
	// labelExit is an executor.Exit as JSON, labelOutput an executor.Output.
	labelExit   = "davit.run/exit"
	labelOutput = "davit.run/output"
)

// Values of labelSnapshot.
const (
	// snapshotMounted: the executor has mounted it.
	snapshotMounted = "mounted"
	// snapshotHanded: the shim mounts it, or does with it what it likes.
	snapshotHanded = "handed"
)

// specURL is the type by which containerd knows an OCI spec in JSON.
const specURL = "types.containerd.io/opencontainers/runtime-spec/1/Spec"

// record is what containerd keeps about an attempt.
type record struct {
	ref       executor.Ref
	cid       string
	runtime   string // its name in the backend's table
	shim      string
	boot      string
	createdAt time.Time
	exit      *executor.Exit
	output    executor.Output
	binary    string
	root      string
	errors    oci.InitErrors
	snapshot  string
}

// owns reports whether a container is this backend's own.
func (d *driver) owns(c *containersapi.Container) bool {
	l := c.GetLabels()
	return l[labelHost] == d.owner.Host && l[labelBackend] == d.owner.Backend
}

// parse reads a record of davit's, whoever's it is.
func parse(c *containersapi.Container) (record, error) {
	l := c.GetLabels()
	attempt, err := strconv.Atoi(l[labelAttempt])
	r := record{
		ref:       executor.Ref{ID: l[labelID], Attempt: attempt},
		cid:       c.GetID(),
		runtime:   l[labelRuntime],
		shim:      c.GetRuntime().GetName(),
		boot:      l[labelBoot],
		createdAt: c.GetCreatedAt().AsTime(),
		output:    executor.Output(l[labelOutput]),
		binary:    l[labelBinary],
		root:      l[labelRoot],
		snapshot:  l[labelSnapshot],
	}
	if err == nil {
		err = r.ref.Validate()
	}
	if s, ok := l[labelExit]; ok && err == nil {
		err = json.Unmarshal([]byte(s), &r.exit)
	}
	if s, ok := l[labelErrors]; ok && err == nil {
		err = json.Unmarshal([]byte(s), &r.errors)
	}
	if err != nil {
		return record{}, executor.Errorf(executor.Internal, "labels of container %s in containerd: %w", c.GetID(), err)
	}
	return r, nil
}

// record reads the record of an id, whatever its attempt. If there is none, the error
// is errdefs.ErrNotFound.
func (d *driver) record(ctx context.Context, id string) (record, error) {
	resp, err := d.conn.containers.Get(ctx, &containersapi.GetContainerRequest{ID: d.cid(id)})
	if err != nil {
		return record{}, err
	}
	if !d.owns(resp.GetContainer()) {
		return record{}, executor.Errorf(executor.AlreadyExists, "container %s in containerd belongs to somebody else", resp.GetContainer().GetID())
	}
	return parse(resp.GetContainer())
}

// records reads all records of this backend.
func (d *driver) records(ctx context.Context) (recs []record, err error) {
	filter := fmt.Sprintf("labels.%q==%q,labels.%q==%q", labelHost, d.owner.Host, labelBackend, d.owner.Backend)
	err = d.scan(ctx, filter, func(c *containersapi.Container) error {
		r, err := parse(c)
		if err != nil {
			d.log.Warn("record in containerd is not usable", "container", c.GetID(), "error", err)
			return nil
		}
		if r.cid != d.owner.ContainerID(r.ref.ID) {
			d.cids.set(r.ref.ID, r.cid)
		}
		recs = append(recs, r)
		return nil
	})
	return recs, err
}

// scan calls fn for the containers that a filter selects.
func (d *driver) scan(ctx context.Context, filter string, fn func(*containersapi.Container) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A plain List is bounded by the size of a message: some 800 specs.
	stream, err := d.conn.containers.ListStream(ctx, &containersapi.ListContainersRequest{Filters: []string{filter}})
	if err != nil {
		return errgrpc.ToNative(err)
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errgrpc.ToNative(err)
		}
		if err := fn(m.GetContainer()); err != nil {
			return err
		}
	}
}

// label sets one label of a record. It is no error if the record is gone.
func (d *driver) label(ctx context.Context, cid, key, value string) error {
	_, err := d.conn.containers.Update(ctx, &containersapi.UpdateContainerRequest{
		Container:  &containersapi.Container{ID: cid, Labels: map[string]string{key: value}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"labels." + key}},
	})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// removeRecord removes a record and what is kept beside it. The record goes last:
// without it nobody would look for the rest. tidy, unless nil, is called when the
// shim is gone, so that nothing writes output any more. doubtful is that of
// removeOrphan.
func (d *driver) removeRecord(ctx context.Context, r record, doubtful bool, tidy func() error) error {
	cid := r.cid
	// A shim whose create was cut off may have lost its socket to the daemon, too.
	if err := d.reapShim(ctx, cid, r.shim == runtimes.ShimLinuxV1 || tidy != nil); err != nil {
		return err
	}
	if tidy != nil {
		if err := tidy(); err != nil {
			return err
		}
	}
	if err := d.removeOrphan(ctx, r, doubtful); err != nil {
		return err
	}
	if err := d.reapBundles(cid); err != nil {
		return err
	}
	d.cgroups.Tidy()
	if err := d.unshield(ctx, cid); err != nil {
		return err
	}
	if err := d.marks.forget(cid); err != nil {
		return err
	}
	_, err := d.conn.containers.Delete(ctx, &containersapi.DeleteContainerRequest{ID: cid})
	if err != nil && !errdefs.IsNotFound(err) {
		return err
	}
	return nil
}
