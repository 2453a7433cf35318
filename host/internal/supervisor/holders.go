package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// holds reports whether a process has the file at path open.
func holds(pid int, path string) bool {
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
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() || !holds(pid, path) {
			continue
		}
		p, err := openProcess(pid, func() error {
			if !holds(pid, path) {
				return fmt.Errorf("process %d is gone", pid)
			}
			return nil
		})
		if err != nil {
			continue // it ended meanwhile
		}
		errs = append(errs, p.Kill())
		p.Release()
	}
	return errors.Join(errs...)
}
