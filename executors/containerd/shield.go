package containerd

import (
	"context"

	sandboxapi "github.com/containerd/containerd/api/services/sandbox/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/quirks"
	"github.com/davit-run/davit/executors/internal/runtimes"
)

// needsShield reports whether a container's exit is in danger while the daemon is down,
// so that it needs a sandbox record: see [quirks.LosesExits].
func needsShield(info daemonInfo, r runtimes.Resolved) bool {
	release, ok := info.release()
	return ok && quirks.LosesExits(release, r.Kind())
}

// shield creates the sandbox record.
func (d *driver) shield(ctx context.Context, p *plan) error {
	if !p.shield {
		return nil
	}
	_, err := d.conn.sandboxes.Create(ctx, &sandboxapi.StoreCreateRequest{Sandbox: &types.Sandbox{
		SandboxID: p.cid,
		Runtime:   &types.Sandbox_Runtime{Name: p.shim.Shim},
		Labels:    map[string]string{labelHost: d.owner.Host, labelBackend: d.owner.Backend},
	}})
	if errdefs.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// unshield removes the sandbox record, if there is one.
func (d *driver) unshield(ctx context.Context, cid string) error {
	info, err := d.conn.info(ctx)
	if err != nil {
		return err
	}
	if !needsShield(info, runtimes.Resolved{}) {
		return nil
	}
	_, err = d.conn.sandboxes.Delete(ctx, &sandboxapi.StoreDeleteRequest{SandboxID: cid})
	if err == nil || errdefs.IsNotFound(err) {
		return nil
	}
	// containerd 1.7 has a nameless error for a record that is not there.
	if _, gerr := d.conn.sandboxes.Get(ctx, &sandboxapi.StoreGetRequest{SandboxID: cid}); errdefs.IsNotFound(gerr) {
		return nil
	}
	return err
}
