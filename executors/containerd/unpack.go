package containerd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	diffapi "github.com/containerd/containerd/api/services/diff/v1"
	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// chainIDs returns the names under which containerd has the layers of an image, each with
// those below it.
func chainIDs(diffIDs []string) []string {
	chain := make([]string, len(diffIDs))
	for i, id := range diffIDs {
		if chain[i] = id; i > 0 {
			sum := sha256.Sum256([]byte(chain[i-1] + " " + id))
			chain[i] = "sha256:" + hex.EncodeToString(sum[:])
		}
	}
	return chain
}

// unpack makes the snapshots of an image's layers that are missing. The daemon does the
// work. What it makes belongs to the lease of r, and then to the image, as what
// containerd's own client unpacks does.
func (d *driver) unpack(ctx context.Context, r root, m manifest, config imageConfig) error {
	chain := chainIDs(config.RootFS.DiffIDs)
	if len(chain) == 0 {
		return nil
	}
	last := chain[len(chain)-1]
	unlock, err := d.unpacking.Lock(ctx, r.snapshotter+" "+last)
	if err != nil {
		return err
	}
	defer unlock()
	parent := ""
	for i, name := range chain {
		if err := d.unpackLayer(ctx, r, m.Layers[i], config.RootFS.DiffIDs[i], parent, name); err != nil {
			return executor.Errorf(executor.CodeOf(oci.Fault(err)), "unpacking layer %s with snapshotter %s: %w", m.Layers[i].Digest, r.snapshotter, err)
		}
		parent = name
	}
	key := "containerd.io/gc.ref.snapshot." + r.snapshotter
	_, err = d.conn.content.Update(ctx, &contentapi.UpdateRequest{
		Info:       &contentapi.Info{Digest: m.Config.Digest, Labels: map[string]string{key: last}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"labels." + key}},
	})
	if errdefs.IsNotFound(err) { // the image was removed meanwhile
		return nil
	}
	return err
}

// extraction returns the name of the snapshot into which the layer of a name is unpacked.
func (r root) extraction(name string) string {
	return fmt.Sprintf("%s-unpack-%.12s", r.cid, strings.TrimPrefix(name, "sha256:"))
}

// unpackLayer makes the snapshot of a layer over its parent, unless it is there.
func (d *driver) unpackLayer(ctx context.Context, r root, layer descriptor, diffID, parent, name string) (err error) {
	_, err = d.conn.snapshots.Stat(ctx, &snapshotsapi.StatSnapshotRequest{Snapshotter: r.snapshotter, Key: name})
	if !errdefs.IsNotFound(err) {
		return err
	}
	key := r.extraction(name)
	remove := func(ctx context.Context) error {
		_, err := d.conn.snapshots.Remove(ctx, &snapshotsapi.RemoveSnapshotRequest{Snapshotter: r.snapshotter, Key: key})
		if errdefs.IsNotFound(err) {
			return nil
		}
		return err
	}
	if err := remove(ctx); err != nil { // what was interrupted has left it
		return err
	}
	prepared, err := d.conn.snapshots.Prepare(r.leased(ctx), &snapshotsapi.PrepareSnapshotRequest{Snapshotter: r.snapshotter, Key: key, Parent: parent})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			ctx, cancel := oci.Detach(ctx, grace)
			defer cancel()
			if rerr := remove(ctx); rerr != nil {
				d.log.Warn("what is left of unpacking a layer goes with the container", "container", r.id, "error", rerr)
			}
		}
	}()
	applied, err := d.conn.diffs.Apply(r.leased(ctx), &diffapi.ApplyRequest{
		Diff:   &types.Descriptor{MediaType: layer.MediaType, Digest: layer.Digest, Size: layer.Size},
		Mounts: prepared.GetMounts(),
	})
	if errdefs.IsNotFound(err) {
		return executor.Errorf(executor.NotFound, "containerd does not have the layer itself; pull the image again: %w", err)
	}
	if err != nil {
		return err
	}
	if got := applied.GetApplied().GetDigest(); got != diffID {
		return executor.Errorf(executor.Invalid, "the layer is %s, and the image's config says %s", got, diffID)
	}
	_, err = d.conn.snapshots.Commit(r.leased(ctx), &snapshotsapi.CommitSnapshotRequest{Snapshotter: r.snapshotter, Name: name, Key: key})
	if errdefs.IsAlreadyExists(err) { // somebody else has made it meanwhile
		return remove(ctx)
	}
	return err
}
