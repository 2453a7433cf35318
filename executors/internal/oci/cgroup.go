package oci

import (
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// cgroupMounts returns all hierarchies. They do not change while a machine is up.
var cgroupMounts = sync.OnceValue(func() []linux.CgroupMount {
	mounts, _ := linux.CgroupMounts()
	return mounts
})

// ownCgroup returns the parent of the cgroups of a backend whose config names none.
func (o Owner) ownCgroup() string { return "/davit/" + o.Key() }

// systemSlice is where systemd puts scopes if no slice is named, those of runc and docker
// too. It is not stopped before the services are, so that a host has the time to stop its
// containers when the machine goes down. In a slice of the backend's own systemd would
// send them SIGTERM at the same moment.
const systemSlice = "system.slice"

// Cgroup returns the cgroup of a container whose spec names none, in the form that
// the runtime's cgroup driver wants. Without a configured parent that fits the
// driver it is below one of the owner's own.
func (o Owner) Cgroup(parent, cid string, systemd bool) string {
	slice := isSlice(parent)
	switch {
	case systemd && slice:
		return parent + ":davit:" + cid
	case systemd:
		return systemSlice + ":davit:" + cid
	case parent != "" && !slice:
		return filepath.Join(parent, cid)
	default:
		return filepath.Join(o.ownCgroup(), cid)
	}
}

// removeCgroupWait is how long a removal waits for processes that have been killed.
// On an idle machine they are gone within a millisecond or two.
const removeCgroupWait = 250 * time.Millisecond

// RemoveCgroupAt removes a cgroup and those below it, by its directory, and reports
// whether it is gone. A cgroup in which something still runs stays.
func RemoveCgroupAt(dir string) bool { return removeCgroup(dir, time.Now().Add(removeCgroupWait)) }

func removeCgroup(dir string, until time.Time) bool {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
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
