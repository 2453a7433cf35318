package shim

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/quirks"
	"github.com/davit-run/davit/shared/executor"
)

// forceRemove removes what a shim could not: itself, if it hangs, and the container. It
// can be repeated.
//
// The runtime is asked first, since it alone knows all that there is. But a runtime or a
// shim that fails cannot keep a container from being removed: when no process is left,
// nothing is left that could run, and its error is only logged.
func (d *driver) forceRemove(ctx context.Context, r record) error {
	if r.Boot != d.boot {
		return nil
	}
	if _, err := get[executor.Output](d.state, r.Ref.ID, outputFile); err == nil {
		return d.endRemains(ctx, r) // all of this was done before
	}
	if r.ownShim() { // one that has just been started may not work in the bundle yet
		if err := removeSocket(d.ownSocket(r)); err != nil {
			return err
		}
	}
	if err := killWithin(ctx, d.state.bundle(r)); err != nil {
		return err
	}
	asked := d.askToRemove(ctx, r)
	if err := d.endRemains(ctx, r); err != nil {
		return errors.Join(asked, err)
	}
	if asked != nil {
		d.log.Warn("what runs the container could not remove it; it was ended by force", "ref", r.Ref, "error", asked)
	}
	return nil
}

// askToRemove asks the OCI runtime to remove a container without a shim or, where only
// the shim knows the runtime, the shim's program.
func (d *driver) askToRemove(ctx context.Context, r record) error {
	bundle := d.state.bundle(r)
	// Somebody may have removed it. It is not made again with the container's directory,
	// which is gone once the container is removed.
	if err := os.Mkdir(bundle, 0o711); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if r.OCI == "" { // never of davit's own shim
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		_, err := output(d.shimCommand(ctx, r, "-bundle", bundle, "delete"))
		return err
	}
	// This is what the shims of runc do, but some refuse without a socket.
	return d.orphan(r).Remove(ctx, bundle, oci.Environ())
}

func (d *driver) orphan(r record) quirks.Orphan {
	return quirks.Orphan{Binary: r.OCI, Root: r.Root, ID: r.CID}
}

// remains returns by what the processes of a container are found.
func (d *driver) remains(r record) oci.Remains {
	if r.Boot != d.boot {
		return oci.Remains{}
	}
	remains := d.owner.Remains(d.config.CgroupParent, r.CID)
	if seen, err := get[oci.Remains](d.state, r.Ref.ID, remainsFile); err == nil {
		remains = remains.With(seen)
	}
	return remains
}

// endRemains removes the container's cgroups and the files that its runtime has left, and
// ends what still runs.
func (d *driver) endRemains(ctx context.Context, r record) error {
	remains := d.remains(r)
	found, err := remains.End(ctx)
	if found > 0 {
		d.log.Warn("processes that nobody ended were killed", "ref", r.Ref, "processes", found)
	}
	remains.RemoveCgroups()
	d.owner.TidyEarlier(r.CID)
	if err != nil || r.OCI == "" {
		return err
	}
	return d.orphan(r).Forget()
}
