package oci

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"github.com/davit-run/davit/executors/internal/usage"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
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
	cgroups, err := cgroupsOf(pid)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, top := range slices.Sorted(maps.Keys(cgroups)) { // the same one counts at each call
		dir := cgroups[top]
		for above := dir; len(above) > len(top); above = filepath.Dir(above) {
			if isCgroupOf(above, cid) {
				dir = above
				break
			}
		}
		if dir != top {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}
