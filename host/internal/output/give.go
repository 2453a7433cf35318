package output

import (
	"errors"
	"path/filepath"
	"strconv"

	"github.com/davit-run/davit/shared/executor"
)

// Give makes a user the owner of the files that the streams of an attempt go to,
// which Create has made, and lets it reach them. It can put nothing beside them.
func (d *Dir) Give(ref executor.Ref, merged bool, uid, gid int) error {
	attempt := filepath.Join(ref.ID, strconv.Itoa(ref.Attempt))
	err := errors.Join(d.root.Chmod(".", 0o711), d.root.Chmod(ref.ID, 0o711), d.root.Chmod(attempt, 0o711))
	for _, file := range d.Files(ref, merged).streams() {
		err = errors.Join(err, d.root.Lchown(filepath.Join(attempt, file.stream.String()), uid, gid))
	}
	if err != nil {
		return executor.Errorf(executor.Unavailable, "output of %s: %w", ref, err)
	}
	return nil
}
