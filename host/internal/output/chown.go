package output

import (
	"errors"
	"path/filepath"
	"slices"

	"github.com/davit-run/davit/shared/executor"
)

// Chown makes a user the owner of files that Create has made, and lets that user reach
// them. The user cannot put other files beside them.
func (d *Dir) Chown(files Files, uid, gid int) error {
	ref := files.Ref
	err := d.root.Chmod(".", 0o711)
	dir := ""
	for _, part := range place(ref) {
		dir = filepath.Join(dir, part)
		err = errors.Join(err, d.root.Chmod(dir, 0o711))
	}
	plain, fifos := files.names()
	for _, name := range slices.Concat(plain, fifos) {
		err = errors.Join(err, d.root.Lchown(filepath.Join(dir, name), uid, gid))
	}
	if err != nil {
		return executor.Errorf(executor.Unavailable, "output of %s: %w", ref, err)
	}
	return nil
}
