package linux

import (
	"errors"
	"os"
)

// SyncDir returns when the entries of a directory are on the disk: a rename or a new file is
// not, before that, although the file itself was synced.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
