package supervisor

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"github.com/davit-run/davit/shared/linux"
)

// hasOpen reports whether a process has the file at path open.
func hasOpen(pid int, path string) bool {
	want, err := os.Stat(path)
	if err != nil {
		return false
	}
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	fds, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, fd := range fds {
		if got, err := os.Stat(filepath.Join(dir, fd.Name())); err == nil && os.SameFile(got, want) {
			return true
		}
	}
	return false
}

// killHolders kills every process, other than this one, that has the lock file
// in dir open. The lock file belongs to executors alone.
func killHolders(dir string) error {
	path := filepath.Join(dir, lockFile)
	found, err := linux.FindProcesses(func(pid int) bool { return hasOpen(pid, path) })
	errs := []error{err}
	for _, pidfd := range found {
		p := watch(pidfd)
		errs = append(errs, p.Kill())
		p.Release()
	}
	return errors.Join(errs...)
}
