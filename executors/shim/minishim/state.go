package minishim

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// state is the directory in which runc keeps the state of a container. It does what
// runc would do when a container is started or deleted, unless there is more to do
// than a state directory shows.
type state struct {
	dir    string
	usable bool // runc has nothing else to do
}

// cgroups returns the container's cgroups, nil if the state is not one of runc's.
func (s state) cgroups() map[string]string {
	if !s.usable {
		return nil
	}
	b, err := linux.ReadFile(filepath.Join(s.dir, "state.json"), maxFile)
	if err != nil {
		return nil
	}
	var v struct {
		CgroupPaths  map[string]string `json:"cgroup_paths"`
		IntelRdtPath string            `json:"intel_rdt_path"`
	}
	if json.Unmarshal(b, &v) != nil || v.IntelRdtPath != "" {
		return nil
	}
	return v.CgroupPaths
}

// release does what `runc start` does: the container's first process waits until
// somebody opens a FIFO for reading, and writes a byte to it. done is false if
// nothing was done.
func (s state) release(exited <-chan struct{}) (done bool, err error) {
	path := filepath.Join(s.dir, "exec.fifo")
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != os.ModeNamedPipe || s.cgroups() == nil {
		return false, nil
	}
	read := make(chan error, 1)
	go func() { // ends when the FIFO was opened for writing, if only by us
		read <- readAll(path)
	}()
	select {
	case err = <-read:
	case <-exited:
		if f, oerr := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0); oerr == nil {
			_ = f.Close()
		}
		err = <-read
	}
	if err != nil {
		return true, err
	}
	return true, os.Remove(path)
}

func readAll(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := linux.ReadAll(f, 4096)
	if err == nil && len(b) == 0 {
		err = errors.New("container process is already dead")
	}
	return err
}

// remove does what `runc delete` does for a container that has ended, and reports
// whether it did all of it.
func (s state) remove() bool {
	cgroups := s.cgroups()
	if cgroups == nil {
		return false
	}
	for _, path := range cgroups {
		if !strings.HasPrefix(path, "/sys/fs/cgroup/") || !oci.RemoveCgroupAt(path) {
			return false
		}
	}
	return os.RemoveAll(s.dir) == nil
}
