package doctor

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

var _ = add(20, "cgroups", lookAtCgroups)

// controllers are what limits of containers need, with their names of version 1, and what is
// missing without them.
var controllers = []struct{ name, v1, without string }{
	{"cpu", "cpu", "--cpus"},
	{"cpuset", "cpuset", "--cpuset-cpus"},
	{"memory", "memory", "--memory, and the figures of memory"},
	{"pids", "pids", "--pids-limit"},
	{"io", "blkio", "limits of disks"},
}

func lookAtCgroups(_ context.Context, p *Patient, r *report) {
	mountinfo, err := p.read("/proc/self/mountinfo")
	if err != nil {
		r.unread("mounts", err)
		return
	}
	mounts := linux.ParseCgroupMounts([]byte(mountinfo + "\n"))
	var unified *linux.CgroupMount
	var old []string
	for _, m := range mounts {
		if m.Unified {
			unified = &m
		} else {
			old = append(old, m.Controllers...)
		}
	}
	var there []string
	switch version1 := slices.ContainsFunc(controllers, func(c struct{ name, v1, without string }) bool { return slices.Contains(old, c.v1) }); {
	case len(mounts) == 0:
		r.fail("mount them, as systemd does: mount -t cgroup2 cgroup2 /sys/fs/cgroup", "no cgroups are mounted: runtimes start no containers")
		return
	case version1 && unified != nil:
		r.ok("version 1 and 2 side by side (hybrid); limits are of version 1")
	case version1:
		r.ok("version 1")
	case unified == nil:
		r.warn("mount those that are missing", "version 1 without a controller that limits anything")
		return
	default:
		text, err := p.read(filepath.Join(unified.Mountpoint, "cgroup.controllers"))
		if err != nil {
			r.unread("controllers", err)
			return
		}
		there = strings.Fields(text)
		r.ok("version 2")
	}
	var have, missing, lost []string
	for _, c := range controllers {
		if slices.Contains(there, c.name) || slices.Contains(old, c.v1) {
			have = append(have, c.name)
		} else {
			missing, lost = append(missing, c.name), append(lost, c.without)
		}
	}
	switch {
	case len(missing) == 0:
		r.ok("controllers %s", strings.Join(have, ", "))
	case slices.Contains(missing, "memory"):
		r.warn("boot with cgroup_enable=memory, or in a container let it have them", "no controller %s: there is no %s", strings.Join(missing, ", "), strings.Join(lost, "; "))
	default:
		r.warn("boot a kernel that has them, or in a container let it have them", "no controller %s: there is no %s", strings.Join(missing, ", "), strings.Join(lost, "; "))
	}
	if p.Config.Cgroup == config.CgroupOff {
		return
	}
	for _, m := range mounts {
		if err := unix.Access(p.at(m.Mountpoint), unix.W_OK); err != nil {
			if p.host == nil && unix.Geteuid() != 0 {
				r.add(Unknown, "run davit doctor as the user of the host", "whether the host may make cgroups: this user may not")
			} else {
				r.fail("mount it writable, or let systemd delegate one and name it as cgroup in the config", "%s cannot be written to: %v", m.Mountpoint, err)
			}
			return
		}
	}
}
