package shim

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/executors/internal/runtimes"
)

// sweep removes from the state directory what no container needs: drafts of
// creates and rests of deletes that were cut off, and unused scripts. Containers
// that never ran are removed when the host asks for them.
func (b *Backend) sweep() error {
	ids, others, err := b.state.ids()
	if err != nil {
		return err
	}
	for _, name := range others {
		// Nothing was started in a draft yet, and nothing runs in what is on its
		// way out.
		err = errors.Join(err, os.RemoveAll(filepath.Join(b.state.dir, name)))
	}
	used := make(map[string]bool)
	for _, id := range ids {
		r, rerr := b.record(id)
		if rerr != nil {
			// A power failure may leave a file without content.
			b.log.Warn("container's record is not readable", "id", id, "error", rerr)
			if len(processesWithin(b.state.bundle(id))) == 0 {
				err = errors.Join(err, b.state.remove(id))
			}
			continue
		}
		used[r.OCI] = true
	}
	if err != nil {
		return err
	}
	return runtimes.Sweep(b.wrappers(), used)
}
