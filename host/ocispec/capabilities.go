package ocispec

import (
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// capabilityNames are the names of Linux's capabilities, each at its number
// (include/uapi/linux/capability.h).
var capabilityNames = strings.Fields(`
	CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
	NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE
	SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE
	AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
	CHECKPOINT_RESTORE`)

const (
	capPrefix       = "CAP_"
	allCapabilities = "ALL"
)

// Capabilities returns the names of the capabilities that CapAdd and CapDrop of [Options] may
// have, without CAP_.
func Capabilities() []string { return slices.Clone(capabilityNames) }

// capability returns the number of a capability, or -1 for ALL.
func capability(name string) (int, error) {
	short := strings.TrimPrefix(strings.ToUpper(name), capPrefix)
	if short == allCapabilities {
		return -1, nil
	}
	n := slices.Index(capabilityNames, short)
	if n < 0 {
		return 0, invalid("capability %q is not known; use a name such as NET_ADMIN, see capabilities(7), or ALL", name)
	}
	return n, nil
}

func (o *Options) validateCapabilities() error {
	for _, name := range slices.Concat(o.CapAdd, o.CapDrop) {
		if _, err := capability(name); err != nil {
			return err
		}
	}
	return nil
}

// changeCapabilities changes the sets of the process. What is added comes into those that
// a program of root's has, and not into those that a program of another user inherits.
func (o *Options) changeCapabilities(spec *object, _ string) error {
	if len(o.CapAdd) == 0 && len(o.CapDrop) == 0 && !o.Privileged {
		return nil
	}
	add, err := o.addedCapabilities()
	if err != nil {
		return err
	}
	return spec.edit(func(sets *object) error {
		for _, name := range []string{"bounding", "effective", "permitted", "inheritable", "ambient"} {
			var set []string
			if _, err := sets.get(name, &set); err != nil {
				return err
			}
			before := len(set)
			kept := o.dropCapabilities(set)
			switch name {
			case "bounding", "effective", "permitted":
				kept = append(kept, o.dropExplicit(add)...)
				slices.Sort(kept)
				kept = slices.Compact(kept)
			default:
				if before == 0 {
					continue
				}
			}
			if err := sets.set(name, kept); err != nil {
				return err
			}
		}
		return nil
	}, "process", "capabilities")
}

// addedCapabilities returns the full names of what is added. ALL are those that this
// process could give away; one that it could not is refused when it is named.
func (o *Options) addedCapabilities() ([]string, error) {
	add := map[string]bool{}
	all := o.Privileged
	for _, name := range o.CapAdd {
		n, err := capability(name)
		switch {
		case err != nil:
			return nil, err
		case n < 0:
			all = true
		case !ownsCapability(n):
			return nil, invalid("capability %s cannot be given: the host has none itself, or the kernel does not know it", capabilityNames[n])
		default:
			add[capPrefix+capabilityNames[n]] = true
		}
	}
	for n, name := range capabilityNames {
		if all && ownsCapability(n) {
			add[capPrefix+name] = true
		}
	}
	return slices.Sorted(maps.Keys(add)), nil
}

// ownsCapability reports whether this process may have a capability.
func ownsCapability(n int) bool {
	has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0)
	return err == nil && has == 1
}

// dropCapabilities returns what is left of a set of the spec.
func (o *Options) dropCapabilities(set []string) []string {
	for _, name := range o.CapDrop {
		if n, _ := capability(name); n < 0 {
			return []string{}
		}
	}
	return o.dropExplicit(set)
}

// dropExplicit returns a set without those that are dropped by name. What is added stays
// when ALL are dropped.
func (o *Options) dropExplicit(set []string) []string {
	left := []string{}
	for _, have := range set {
		dropped := slices.ContainsFunc(o.CapDrop, func(name string) bool {
			n, err := capability(name)
			return err == nil && n >= 0 && capPrefix+capabilityNames[n] == have
		})
		if !dropped {
			left = append(left, have)
		}
	}
	return left
}
