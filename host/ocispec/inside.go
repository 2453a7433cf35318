package ocispec

import (
	"bytes"
	"os"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// inside sets in the default spec what depends on o and the root file system.
func (o *Options) inside(spec *specs.Spec, rootfs string) {
	name := o.Hostname
	if o.UTS == NamespaceHost {
		name, _ = os.Hostname()
	}
	if name != "" {
		spec.Process.Env = append(spec.Process.Env, "HOSTNAME="+name)
	}
	spec.Mounts = append(spec.Mounts, o.etcMounts(rootfs)...)
	if o.User != "" {
		return
	}
	if _, err := lookUpUser(rootfs, "0"); err == nil {
		o.User = "0"
	} else { // root needs no files
		o.User = "0:0"
	}
}

// defaultSysctls lets programs that are not root listen on any port and send pings.
// The network namespace is the container's own, so nobody else has its ports. A kernel may
// lack one.
func defaultSysctls() map[string]string {
	const dir = "/proc/sys/net/ipv4/"
	sysctls := map[string]string{}
	for name, value := range map[string]string{"ip_unprivileged_port_start": "0", "ping_group_range": "0 2147483647"} {
		if _, err := os.Stat(dir + name); err == nil {
			sysctls["net.ipv4."+name] = value
		}
	}
	return sysctls
}

// defaultOOMScore returns 0, so that containers do not inherit the host's, which may be
// protected. It returns nil if only a privilege that this process lacks could lower the
// inherited one.
func defaultOOMScore() *int {
	b, err := os.ReadFile("/proc/self/oom_score_adj")
	if own, perr := strconv.Atoi(string(bytes.TrimSpace(b))); err != nil || perr != nil || own > 0 && !mayRaiseLimits() {
		return nil
	}
	return new(0)
}

// mayRaiseLimits reports whether this process has CAP_SYS_RESOURCE, without which
// nobody can exceed the hard limits that they have.
func mayRaiseLimits() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	err := unix.Capget(&header, &data[0])
	return err == nil && data[0].Effective&(1<<unix.CAP_SYS_RESOURCE) != 0
}
