package oci

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/davit-run/davit/executors/internal/usage"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// Stats measures a container by the pid of its first process. The error is
// [lifecycle.ErrEnded] if that has ended.
func Stats(pid int, cid string) (executor.Stats, error) {
	cgroups, err := cgroupDirs(pid, cid)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return executor.Stats{}, lifecycle.ErrEnded
	}
	if err != nil {
		return executor.Stats{}, err
	}
	return usage.Of(cgroups, func() []int { return []int{pid} }), nil
}

// cgroupDirs returns the cgroup of a container in each hierarchy. Its first process may be
// in one that it has made below that. The root of a hierarchy is nobody's own.
func cgroupDirs(pid int, cid string) ([]string, error) {
	paths, err := linux.CgroupsOf(pid)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, m := range cgroupMounts() {
		for controller, path := range paths {
			if m.Unified != (controller == "") || !m.Unified && !m.Has(controller) {
				continue
			}
			dir := m.Dir(path)
			for above := dir; len(above) > len(m.Mountpoint); above = filepath.Dir(above) {
				if isCgroupOf(above, cid) {
					dir = above
					break
				}
			}
			if dir != m.Mountpoint {
				dirs = append(dirs, dir)
			}
			break
		}
	}
	return dirs, nil
}
