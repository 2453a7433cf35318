package oci

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// cgroupMount is a mounted cgroup hierarchy, or in a container a part of one.
type cgroupMount struct {
	v2               bool
	controllers      map[string]bool // of v1
	root, mountpoint string
}

// dir gives the directory of a cgroup, by its path in the hierarchy.
func (m cgroupMount) dir(path string) string {
	if rel, err := filepath.Rel(m.root, path); err == nil {
		path = rel
	}
	return filepath.Join(m.mountpoint, path)
}

// cgroupMounts gives all hierarchies. They do not change while a machine is up.
var cgroupMounts = sync.OnceValue(func() []cgroupMount {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		return nil
	}
	var found []cgroupMount
	for _, m := range mounts {
		c := cgroupMount{v2: m.FSType == "cgroup2", controllers: make(map[string]bool), root: m.Root, mountpoint: m.Mountpoint}
		for opt := range strings.SplitSeq(m.VFSOptions, ",") {
			c.controllers[opt] = true
		}
		found = append(found, c)
	}
	return found
})

// ownCgroup is the parent of the cgroups of a backend whose config names none.
func (o Owner) ownCgroup() string { return "/davit/" + o.Key() }

// ownSlice is the same for systemd.
func (o Owner) ownSlice() string { return "davit-" + o.Key() + ".slice" }

// Cgroup gives the cgroup of a container whose spec names none, in the form that
// the runtime's cgroup driver wants. Without a configured parent that fits the
// driver it is below one of the owner's own.
func (o Owner) Cgroup(parent, cid string, systemd bool) string {
	slice := strings.HasSuffix(parent, ".slice")
	switch {
	case systemd && slice:
		return parent + ":davit:" + cid
	case systemd:
		return o.ownSlice() + ":davit:" + cid
	case parent != "" && !slice:
		return filepath.Join(parent, cid)
	default:
		return filepath.Join(o.ownCgroup(), cid)
	}
}

// RemoveCgroup removes what an OCI runtime has left of the cgroup that [Owner.Cgroup]
// gave a container. Where version 2 is mounted beside version 1, runc 1.1 does not
// always get rid of the directory in it. Cgroups that systemd made it removes
// itself.
func (o Owner) RemoveCgroup(parent, cid string) {
	until := time.Now().Add(removeCgroupWait)
	for _, m := range cgroupMounts() {
		removeCgroup(m.dir(o.Cgroup(parent, cid, false)), until)
	}
}

// removeCgroupWait is how long a removal waits for processes that have been killed.
// On an idle machine they are gone within a millisecond or two.
const removeCgroupWait = 250 * time.Millisecond

// RemoveCgroupAt removes a cgroup with those below it, by its directory, and reports
// whether it is gone. One in which something runs on stays.
func RemoveCgroupAt(dir string) bool { return removeCgroup(dir, time.Now().Add(removeCgroupWait)) }

func removeCgroup(dir string, until time.Time) bool {
	for pause := time.Millisecond; ; pause *= 2 {
		err := unix.Rmdir(dir)
		if err == nil || err == unix.ENOENT {
			return true
		}
		if err != unix.EBUSY || time.Now().After(until) {
			return false
		}
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if e.IsDir() && !removeCgroup(filepath.Join(dir, e.Name()), until) {
				return false
			}
		}
		time.Sleep(pause)
	}
}

// RemoveOwnCgroup removes the parent of the backend's cgroups where it is empty:
// an OCI runtime removes only what is below.
func (o Owner) RemoveOwnCgroup() {
	for _, m := range cgroupMounts() {
		_ = os.Remove(m.dir(o.ownCgroup())) // fails unless empty
	}
}
