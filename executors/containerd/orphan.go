package containerd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/quirks"
)

// removeOrphan removes what is left of a container of which containerd knows no task any
// more: what the OCI runtime still has of it, and processes that run on. doubtful says
// that containerd was not seen to have removed the task in good order. Only then the
// runtime is asked, which takes the start of a program.
//
// A runtime that fails cannot keep a container from being removed: when no process is
// left, nothing is left that could run, and its error is only logged.
func (d *driver) removeOrphan(ctx context.Context, r record, doubtful bool) error {
	if r.boot != d.boot {
		return nil
	}
	var asked error
	o := quirks.Orphan{Binary: cmp.Or(r.binary, "runc"), Root: r.root, ID: r.cid}
	ask := doubtful && r.root != "" // without a root it is the runtime's own default
	if ask {
		asked = o.Remove(ctx, "", oci.Environ())
	}
	remains := d.owner.Remains(d.config.CgroupParent, r.cid).With(d.marks.remains(r.cid))
	found, err := remains.End(ctx)
	if found > 0 {
		d.log.Warn("processes that nobody ended were killed", "ref", r.ref, "processes", found)
	}
	remains.RemoveCgroups()
	d.owner.TidyEarlier(r.cid)
	if err != nil {
		return errors.Join(asked, err)
	}
	if asked != nil {
		d.log.Warn("what runs the container could not remove it; it was ended by force", "ref", r.ref, "error", asked)
	}
	if r.root == "" {
		return nil
	}
	return o.Forget()
}

// removeBundle removes a bundle whose shim is gone: see [quirks.BundleInTheWay].
// Since this is a removal by path, it first makes sure that the path is that of a
// bundle of ours, and that nothing is mounted there any more: a directory with a mount
// cannot be removed.
func (d *driver) removeBundle(dir, cid string) error {
	dir = strings.TrimSuffix(dir, " (deleted)")
	if !strings.HasPrefix(filepath.Base(filepath.Dir(filepath.Dir(dir))), "io.containerd.runtime.") ||
		filepath.Base(filepath.Dir(dir)) != d.config.Namespace || filepath.Base(dir) != cid {
		return nil
	}
	// A snapshot that its shim has mounted there.
	if err := unmount(filepath.Join(dir, "rootfs")); err != nil {
		return fmt.Errorf("remove bundle: %w", err)
	}
	if err := os.Remove(filepath.Join(dir, "rootfs")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove bundle: %w", err)
	}
	return os.RemoveAll(dir)
}
