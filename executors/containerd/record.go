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
	"github.com/davit-run/davit/shared/failpoint"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// Labels on a container's record in containerd. With them an attempt can be
// found, and its end told, by an executor that has no memory of it.
const (
	labelHost    = "davit.run/host"
	labelBackend = "davit.run/backend"
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
	// labelExit is an executor.Exit as JSON, labelOutput an executor.Output.
	labelExit   = "davit.run/exit"
	labelOutput = "davit.run/output"
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
}

// parse reads a record of one of the owner's containers.
func parse(o oci.Owner, c *containersapi.Container) (record, error) {
	l := c.GetLabels()
	if l[labelHost] != o.Host || l[labelBackend] != o.Backend {
		return record{}, executor.Errorf(executor.AlreadyExists, "container %s in containerd belongs to somebody else", c.GetID())
	}
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

// record reads the record of an id, of whichever attempt it is. One that is not
// there is errdefs.ErrNotFound.
func (b *Backend) record(ctx context.Context, id string) (record, error) {
	resp, err := b.conn.containers.Get(ctx, &containersapi.GetContainerRequest{ID: b.owner.ContainerID(id)})
	if err != nil {
		return record{}, err
	}
	return parse(b.owner, resp.GetContainer())
}

// records reads all records that are ours.
func (b *Backend) records(ctx context.Context) ([]record, error) {
	filter := fmt.Sprintf("labels.%q==%q,labels.%q==%q", labelHost, b.owner.Host, labelBackend, b.owner.Backend)
	// A plain List is bounded by the size of a message: some 800 specs.
	stream, err := b.conn.containers.ListStream(ctx, &containersapi.ListContainersRequest{Filters: []string{filter}})
	if err != nil {
		return nil, errgrpc.ToNative(err)
	}
	var recs []record
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return recs, nil
		}
		if err != nil {
			return nil, errgrpc.ToNative(err)
		}
		r, err := parse(b.owner, m.GetContainer())
		if err != nil {
			b.log.Warn("record in containerd is not usable", "container", m.GetContainer().GetID(), "error", err)
			continue
		}
		recs = append(recs, r)
	}
}

// label sets one label of a record. A record that is gone needs none.
func (b *Backend) label(ctx context.Context, cid, key, value string) error {
	_, err := b.conn.containers.Update(ctx, &containersapi.UpdateContainerRequest{
		Container:  &containersapi.Container{ID: cid, Labels: map[string]string{key: value}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"labels." + key}},
	})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// dropRecord deletes a record and what is kept beside it. The record goes last:
// without it nobody would look for the rest. tidy, if not nil, is called when the
// shim is gone, and nothing carries output any more.
func (b *Backend) dropRecord(ctx context.Context, r record, tidy func() error) error {
	cid := r.cid
	// A shim whose create was cut off may have lost its socket to the daemon, too.
	if err := b.reapShim(ctx, cid, r.shim == runtimes.ShimLinuxV1 || tidy != nil); err != nil {
		return err
	}
	_ = failpoint.Hit("containerd.drop.shim")
	if tidy != nil {
		if err := tidy(); err != nil {
			return err
		}
	}
	if err := removeOrphan(ctx, r); err != nil {
		return err
	}
	if err := b.reapBundles(cid); err != nil {
		return err
	}
	b.owner.RemoveCgroup(b.config.CgroupParent, cid)
	if err := b.unshield(ctx, cid); err != nil {
		return err
	}
	_ = failpoint.Hit("containerd.drop.shield")
	if err := b.marks.remove(cid); err != nil {
		return err
	}
	_ = failpoint.Hit("containerd.drop.mark")
	_, err := b.conn.containers.Delete(ctx, &containersapi.DeleteContainerRequest{ID: cid})
	if err != nil && !errdefs.IsNotFound(err) {
		return err
	}
	return nil
}
