package shim

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/executors/internal/runtimes"
)

// sweep removes from the state directory what no container needs: remains of creates
// and deletes that were cut off, and unused scripts. Containers that never ran are
// removed when the host asks for them.
func (d *driver) sweep() error {
	ids, others, err := d.state.ids()
	if err != nil {
		return err
	}
	for _, name := range others {
		// Nothing was started yet in a directory that is being made, and nothing runs
		// in one that is being removed.
		err = errors.Join(err, os.RemoveAll(filepath.Join(d.state.dir, name)))
	}
	used := make(map[string]bool)
	for _, id := range ids {
		r, rerr := d.record(id)
		if rerr != nil {
			// A power failure may leave a file without content.
			d.log.Warn("container's record is not readable", "id", id, "error", rerr)
			if !d.state.inUse(id) {
				err = errors.Join(err, d.state.remove(id))
			}
			continue
		}
		used[r.OCI] = true
	}
	if err != nil {
		return err
	}
	return runtimes.Sweep(d.wrappers(), used)
}
