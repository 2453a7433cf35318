package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

var _ = add(10, "kernel", lookAtKernel)

// Kernels: pidfd_open came with 5.3, openat2 with 5.6; the host uses both.
const leastMajor, leastMinor = 5, 6

func lookAtKernel(_ context.Context, p *Patient, r *report) {
	release, err := p.read("/proc/sys/kernel/osrelease")
	if err != nil {
		r.unread("version", err)
	} else {
		var major, minor int
		_, err := fmt.Sscanf(release, "%d.%d", &major, &minor)
		switch {
		case err != nil:
			r.add(Unknown, "", "version %q is not understood", release)
		case major < leastMajor || major == leastMajor && minor < leastMinor:
			r.fail(fmt.Sprintf("install Linux %d.%d or later", leastMajor, leastMinor), "Linux %s lacks system calls that davit needs", release)
		default:
			r.ok("Linux %s", release)
		}
	}
	lookAtOverlay(p, r)
	if actions, err := p.read("/proc/sys/kernel/seccomp/actions_avail"); err != nil {
		r.warn("boot a kernel with CONFIG_SECCOMP_FILTER, or set seccomp_profile = \"unconfined\" in defaults", "seccomp is not there: containers with a profile are not started")
	} else if !strings.Contains(actions, "errno") {
		r.warn("boot a kernel that has it", "seccomp has no action errno, only %s", actions)
	} else {
		r.ok("seccomp filters system calls")
	}
	lookAtUserNamespaces(p, r)
}

func lookAtOverlay(p *Patient, r *report) {
	systems, err := p.read("/proc/filesystems")
	switch {
	case err != nil:
		r.unread("file systems", err)
	case slices.Contains(strings.Fields(systems), "overlay"):
		r.ok("overlay file systems are there")
	default:
		r.warn("run modprobe overlay, and list overlay in /etc/modules-load.d/davit.conf; --rootfs DIR works without", "overlay file systems are not there, or their module is not loaded: images cannot be run")
	}
}

func lookAtUserNamespaces(p *Patient, r *report) {
	const remedy = "set sysctl %s, if containers are to have one; without, all but user namespaces works"
	most, err := p.number("/proc/sys/user/max_user_namespaces")
	if err != nil {
		r.unread("user namespaces", err)
		return
	}
	if most == 0 {
		r.warn(fmt.Sprintf(remedy, "user.max_user_namespaces=15000"), "there may be no user namespaces")
		return
	}
	if allowed, err := p.number("/proc/sys/kernel/unprivileged_userns_clone"); err == nil && allowed == 0 {
		r.warn("set sysctl kernel.unprivileged_userns_clone=1, if a host is to run without root", "only root makes user namespaces")
		return
	}
	if restricted, err := p.number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"); err == nil && restricted == 1 {
		r.warn("set sysctl kernel.apparmor_restrict_unprivileged_userns=0, if a host is to run without root", "AppArmor keeps users from making user namespaces")
		return
	}
	r.ok("user namespaces are there, at most %d", most)
}
