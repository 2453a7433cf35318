package process

import (
	"slices"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// resources returns the numbers of resource limits.
var resources = map[string]int{
	"RLIMIT_AS":         unix.RLIMIT_AS,
	"RLIMIT_CORE":       unix.RLIMIT_CORE,
	"RLIMIT_CPU":        unix.RLIMIT_CPU,
	"RLIMIT_DATA":       unix.RLIMIT_DATA,
	"RLIMIT_FSIZE":      unix.RLIMIT_FSIZE,
	"RLIMIT_LOCKS":      unix.RLIMIT_LOCKS,
	"RLIMIT_MEMLOCK":    unix.RLIMIT_MEMLOCK,
	"RLIMIT_MSGQUEUE":   unix.RLIMIT_MSGQUEUE,
	"RLIMIT_NICE":       unix.RLIMIT_NICE,
	"RLIMIT_NOFILE":     unix.RLIMIT_NOFILE,
	"RLIMIT_NPROC":      unix.RLIMIT_NPROC,
	"RLIMIT_RSS":        unix.RLIMIT_RSS,
	"RLIMIT_RTPRIO":     unix.RLIMIT_RTPRIO,
	"RLIMIT_RTTIME":     unix.RLIMIT_RTTIME,
	"RLIMIT_SIGPENDING": unix.RLIMIT_SIGPENDING,
	"RLIMIT_STACK":      unix.RLIMIT_STACK,
}

func rlimits(limits []specs.POSIXRlimit) ([]monitor.Rlimit, error) {
	var list []monitor.Rlimit
	for _, l := range limits {
		n, ok := resources[l.Type]
		if !ok {
			return nil, executor.Errorf(executor.Invalid, "process.rlimits: %q is not known", l.Type)
		}
		if l.Soft > l.Hard {
			return nil, executor.Errorf(executor.Invalid, "process.rlimits: %s has the soft limit %d above the hard limit %d", l.Type, l.Soft, l.Hard)
		}
		list = append(list, monitor.Rlimit{Resource: n, Soft: l.Soft, Hard: l.Hard})
	}
	return list, nil
}

// capabilityNames in the order of their numbers.
var capabilityNames = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
	"CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT",
	"CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// capabilities returns the numbers of what a process may have, nil for whatever the
// executor has. An executor that is not root cannot grant any.
//
// A program that root starts has all of the bounding set, so other sets are possible
// only if they are equal.
func (p *builder) capabilities(c *specs.LinuxCapabilities) ([]int, error) {
	if c == nil || p.user.uid != 0 {
		return nil, nil
	}
	list := make([]int, 0, len(c.Bounding))
	for _, name := range c.Bounding {
		n := slices.Index(capabilityNames, name)
		if n < 0 {
			return nil, executor.Errorf(executor.Invalid, "process.capabilities.bounding: %q is not known", name)
		}
		list = append(list, n)
	}
	for name, set := range map[string][]string{"effective": c.Effective, "permitted": c.Permitted} {
		if !sameSet(set, c.Bounding) {
			return nil, unsupportedCapabilities(name, "other than the bounding ones")
		}
	}
	if len(c.Ambient) > 0 {
		return nil, unsupportedCapabilities("ambient", "at all")
	}
	return list, nil
}

func unsupportedCapabilities(set, what string) error {
	return executor.Errorf(executor.Unsupported, `process.capabilities.%s: a plain process cannot have %s capabilities %s; leave them out, choose another backend, or add "process.capabilities" to "ignore" in the backend's config`, set, set, what)
}

func sameSet(a, b []string) bool {
	in := func(s string, list []string) bool { return slices.Contains(list, s) }
	return !slices.ContainsFunc(a, func(s string) bool { return !in(s, b) }) && !slices.ContainsFunc(b, func(s string) bool { return !in(s, a) })
}
