package containerd

import (
	"context"

	sandboxapi "github.com/containerd/containerd/api/services/sandbox/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/runtimes"
)

// When containerd 1.7 or later starts and finds a shim without processes, it
// takes it for the rest of a failed start and ends it, and the exit of a
// container that ended while containerd was down is lost. It spares shims of
// sandboxes, which it recognizes by a record with the shim's id in its sandbox
// store. So each container gets such a record, which is used for nothing else.

// needsShield reports whether a container's exit is in danger.
func needsShield(d daemonInfo, r runtimes.Resolved) bool {
	release, ok := d.release()
	return ok && !release.Before(v1_7) && r.Kind() != runtimes.KindLinux
}

// shield makes the record.
func (b *Backend) shield(ctx context.Context, p plan) error {
	if !p.shield {
		return nil
	}
	_, err := b.conn.sandboxes.Create(ctx, &sandboxapi.StoreCreateRequest{Sandbox: &types.Sandbox{
		SandboxID: p.cid,
		Runtime:   &types.Sandbox_Runtime{Name: p.shim.Shim},
		Labels:    map[string]string{labelHost: b.owner.Host, labelBackend: b.owner.Backend},
	}})
	if errdefs.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// unshield removes the record, if there is one.
func (b *Backend) unshield(ctx context.Context, cid string) error {
	d, err := b.conn.info(ctx)
	if err != nil {
		return err
	}
	if !needsShield(d, runtimes.Resolved{}) {
		return nil
	}
	_, err = b.conn.sandboxes.Delete(ctx, &sandboxapi.StoreDeleteRequest{SandboxID: cid})
	if err == nil || errdefs.IsNotFound(err) {
		return nil
	}
	// containerd 1.7 has a nameless error for a record that is not there.
	if _, gerr := b.conn.sandboxes.Get(ctx, &sandboxapi.StoreGetRequest{SandboxID: cid}); errdefs.IsNotFound(gerr) {
		return nil
	}
	return err
}
