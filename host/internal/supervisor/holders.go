package supervisor

import (
	"errors"
	"path/filepath"

	"github.com/davit-run/davit/shared/linux"
)

// killHolders kills every process, other than this one, that has the lock file
// in dir open. The lock file belongs to executors alone.
func killHolders(dir string) error {
	found, err := linux.FindHolders(filepath.Join(dir, lockFile))
	errs := []error{err}
	for _, pidfd := range found {
		p := watch(pidfd)
		errs = append(errs, p.Kill())
		p.Release()
	}
	return errors.Join(errs...)
}
