package output

import (
	"errors"
	"path/filepath"
	"strconv"

	"github.com/davit-run/davit/shared/executor"
)

// Chown makes a user the owner of files that Create has made, and lets that user reach
// them. The user cannot put other files beside them.
func (d *Dir) Chown(files Files, uid, gid int) error {
	ref := files.Ref
	attempt := filepath.Join(ref.ID, strconv.Itoa(ref.Attempt))
	err := errors.Join(d.root.Chmod(".", 0o711), d.root.Chmod(ref.ID, 0o711), d.root.Chmod(attempt, 0o711))
	for _, name := range files.names() {
		err = errors.Join(err, d.root.Lchown(filepath.Join(attempt, name), uid, gid))
	}
	if err != nil {
		return executor.Errorf(executor.Unavailable, "output of %s: %w", ref, err)
	}
	return nil
}
