package ocispec

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Options change a spec. The zero value of each field changes nothing.
type Options struct {
	// Args is the command, never run through a shell.
	Args []string `json:"args,omitempty"`
	// Env is a list of NAME=VALUE. Each replaces the spec's value for that name.
	Env []string `json:"env,omitempty"`
	// Cwd is the working directory in the container, absolute.
	Cwd string `json:"cwd,omitempty"`
	// User is USER[:GROUP], each a name from the rootfs or a number. Without a
	// group, the user's groups in the rootfs apply.
	User     string `json:"user,omitempty"`
	Hostname string `json:"hostname,omitempty"`
	// Mounts are added. They replace mounts of the spec at the same destination. Sources
	// of bind mounts are absolute and exist. See also [TypeVolume].
	Mounts []specs.Mount `json:"mounts,omitempty"`
	// ReadOnly makes the root file system read-only.
	ReadOnly bool `json:"read_only,omitempty"`
	// MemoryBytes limits the memory, without swap; at least [MinMemory].
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
	// CPUs limits the CPU time, in CPUs: 1.5 is one and a half.
	CPUs float64 `json:"cpus,omitempty"`
	// PidsLimit limits processes and threads; -1 is no limit.
	PidsLimit int64 `json:"pids_limit,omitempty"`
	// Terminal says whether the process has a terminal. It must agree with the streams of
	// the container. Nil keeps the value of the bundle, which `runc spec` sets to true.
	Terminal *bool `json:"terminal,omitempty"`
	// Init has the command run by an init, which passes signals on and reaps what others
	// leave: one that is installed on this machine.
	Init bool `json:"init,omitempty"`
	// ConsoleSize is the size of the terminal when the process starts.
	ConsoleSize *specs.Box        `json:"console_size,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// Ulimits replace the spec's resource limits of the same types.
	Ulimits []specs.POSIXRlimit `json:"ulimits,omitempty"`
	// OOMScoreAdj, from -1000 to 1000, says how readily the kernel kills the process when
	// the machine has no memory left; 1000 is first.
	OOMScoreAdj *int `json:"oom_score_adj,omitempty"`
	// NoNewPrivileges keeps programs from getting privileges by a set-uid bit or file
	// capabilities.
	NoNewPrivileges *bool `json:"no_new_privileges,omitempty"`
	// Seccomp says which system calls are allowed: the text of a profile as docker or the
	// OCI spec has it, [SeccompBuiltin], or [SeccompUnconfined]. Whoever makes a spec
	// applies it afterwards, since that takes the spec's capabilities.
	Seccomp string `json:"seccomp,omitempty"`
	// CapAdd and CapDrop change the capabilities of the process: names such as NET_ADMIN,
	// with or without CAP_, or ALL. A name in CapDrop goes before one in CapAdd, and a name
	// before ALL.
	CapAdd  []string `json:"cap_add,omitempty"`
	CapDrop []string `json:"cap_drop,omitempty"`
	// Privileged gives the process all capabilities and devices, and hides nothing of the
	// kernel's file systems from it. It can do to the machine what root can.
	Privileged bool `json:"privileged,omitempty"`
	// Devices are devices of the machine that the process may use.
	Devices []Device `json:"devices,omitempty"`
	// DeviceRules are rules of what the process may do with devices, without files of them:
	// TYPE MAJOR:MINOR ACCESS, such as "c 10:* rwm".
	DeviceRules []string `json:"device_rules,omitempty"`
	// Groups are further groups of the process, names from the rootfs or numbers.
	Groups []string `json:"groups,omitempty"`
	// Sysctls are settings of the container's own namespaces.
	Sysctls map[string]string `json:"sysctls,omitempty"`
	// PID, IPC, UTS and Cgroupns say in which namespace of a kind the process is:
	// [NamespacePrivate] or [NamespaceHost]. PID and IPC may be [NamespaceContainer] and the
	// name or id of a container, whose the namespace is at each start, and IPC may be
	// [NamespaceShareable] or [NamespaceNone] as well.
	PID      string `json:"pid,omitempty"`
	IPC      string `json:"ipc,omitempty"`
	UTS      string `json:"uts,omitempty"`
	Cgroupns string `json:"cgroupns,omitempty"`
	// Network says in which network namespace the process is: [NamespacePrivate],
	// [NamespaceHost] or the path of one. Hosts set it, from what they know of networks.
	Network string `json:"-"`
	// ShmBytes is the size of /dev/shm.
	ShmBytes int64 `json:"shm_bytes,omitempty"`
	// Shm, if set, is a directory that is mounted at /dev/shm, so that others can have it, too.
	// Hosts set it.
	Shm string `json:"-"`
	// MemorySwap limits memory and swap together, in bytes; -1 is no limit.
	MemorySwap int64 `json:"memory_swap,omitempty"`
	// MemoryReservation is how much memory the process keeps when the machine has little.
	MemoryReservation int64 `json:"memory_reservation,omitempty"`
	// CPUShares is the weight of the process when CPUs are contended, 2 to 262144; 1024 is
	// usual.
	CPUShares uint64 `json:"cpu_shares,omitempty"`
	// CPUSet and MemSet are the CPUs and memory nodes that the process may use, such as
	// 0-2,7.
	CPUSet string `json:"cpuset_cpus,omitempty"`
	MemSet string `json:"cpuset_mems,omitempty"`
	// BlkioWeight is the weight of the process when disks are contended, 10 to 1000.
	BlkioWeight uint16 `json:"blkio_weight,omitempty"`
	// DiskLimits are limits of single disks.
	DiskLimits []DiskLimit `json:"disk_limits,omitempty"`
	// Etc, if set, is a directory with the files of [EtcFiles]. [FromRootfs] mounts them
	// over those of the root file system.
	Etc string `json:"-"`
}

const (
	// SeccompBuiltin is docker's default profile.
	SeccompBuiltin = "builtin"
	// SeccompUnconfined allows all system calls.
	SeccompUnconfined = "unconfined"
)

// MinMemory is the smallest memory limit, in bytes. With less, the runtime
// itself is killed before the container's process starts.
const MinMemory = 6 << 20

const (
	maxPIDs   = 4 << 20 // the kernel's PID_MAX_LIMIT: it takes no greater limit
	minCPUs   = 0.01    // of a period of 100 ms: the shortest quota that the kernel takes
	maxCPUs   = 8192    // as many as Linux can have
	cpuPeriod = 100_000

	maxHostname = 64 // bytes, the kernel's limit
)

var hostnamePattern = pattern(`^[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?$`)

// Validate checks o without reading any file.
func (o *Options) Validate() error {
	for _, arg := range o.Args {
		if err := checkText("argument", arg); err != nil {
			return err
		}
	}
	for _, env := range o.Env {
		name, _, ok := strings.Cut(env, "=")
		if !ok || name == "" || strings.ContainsRune(env, 0) {
			return invalid("environment variable %q is not of the form NAME=VALUE", env)
		}
		if err := checkText("environment variable", env); err != nil {
			return err
		}
	}
	if err := cleanPath("working directory", o.Cwd); o.Cwd != "" && err != nil {
		return err
	}
	if err := checkText("user", o.User); err != nil {
		return err
	}
	if o.User != "" {
		user, group, hasGroup := strings.Cut(o.User, ":")
		if user == "" || hasGroup && group == "" || strings.ContainsAny(o.User, "\x00\n") || strings.Contains(group, ":") {
			return invalid("user %q is not of the form USER or USER:GROUP", o.User)
		}
	}
	if o.Hostname != "" {
		if err := ValidateHostname(o.Hostname); err != nil {
			return err
		}
	}
	targets := map[string]bool{}
	for _, m := range o.Mounts {
		if err := validateMount(m); err != nil {
			return err
		}
		target := filepath.Clean(m.Destination)
		if targets[target] {
			return invalid("two mounts have the target %q; keep one of them", target)
		}
		targets[target] = true
	}
	if o.MemoryBytes != 0 && o.MemoryBytes < MinMemory {
		return invalid("memory limit of %d bytes is too small, at least %d (6m) are needed", o.MemoryBytes, MinMemory)
	}
	if math.IsNaN(o.CPUs) || o.CPUs != 0 && (o.CPUs < minCPUs || o.CPUs > maxCPUs) {
		return invalid("%v CPUs are not possible; give a number from %v to %v", o.CPUs, minCPUs, maxCPUs)
	}
	if o.PidsLimit < -1 || o.PidsLimit > maxPIDs {
		return invalid("pids limit %d is not possible; give a number from 1 to %d, or -1 for no limit", o.PidsLimit, maxPIDs)
	}
	for i, l := range o.Ulimits {
		if err := validateUlimit(l); err != nil {
			return err
		}
		if slices.ContainsFunc(o.Ulimits[:i], func(other specs.POSIXRlimit) bool { return other.Type == l.Type }) {
			return invalid("two limits of %s are given; keep one of them", ulimitName(l.Type))
		}
	}
	if adj := o.OOMScoreAdj; adj != nil && (*adj < -1000 || *adj > 1000) {
		return invalid("OOM score adjustment %d is not possible; give a number from -1000 to 1000", *adj)
	}
	for key, value := range o.Annotations {
		if key == "" || strings.ContainsRune(key+value, 0) {
			return invalid("annotation %q=%q has no key or holds a zero byte", key, value)
		}
		if err := checkText("annotation", key+"="+value); err != nil {
			return err
		}
	}
	for _, p := range parts() {
		if err := p.validate(o); err != nil {
			return err
		}
	}
	return nil
}

// ValidateHostname checks the name of a host.
func ValidateHostname(name string) error {
	if len(name) > maxHostname || !hostnamePattern().MatchString(name) {
		return invalid("host name %q is not allowed; use up to 64 letters, digits, '.', '_' and '-', beginning and ending with a letter or digit", name)
	}
	return nil
}

// part is a group of options that changes a spec on its own.
type part struct {
	// validate checks the options without reading any file.
	validate func(*Options) error
	// change makes the changes in the spec for a root file system.
	change func(o *Options, spec *object, rootfs string) error
}

// parts returns the parts in the order in which they change a spec.
func parts() []part {
	none := func(*Options) error { return nil }
	return []part{
		{(*Options).validateCapabilities, (*Options).changeCapabilities},
		{none, (*Options).changePrivileged},
		{(*Options).validateDevices, (*Options).changeDevices},
		{(*Options).validateDeviceRules, (*Options).changeDeviceRules},
		{(*Options).validateGroups, (*Options).changeGroups},
		{(*Options).validateLimits, (*Options).changeLimits},
		{(*Options).validateDisks, (*Options).changeDisks},
		{none, (*Options).changeShm},
		{(*Options).validateInit, (*Options).changeInit},
		{(*Options).validateNamespaces, (*Options).changeNamespaces},
		{(*Options).validateSysctls, (*Options).changeSysctls},
	}
}

func validateMount(m specs.Mount) error {
	if err := cleanPath("mount target", m.Destination); err != nil {
		return err
	}
	if filepath.Clean(m.Destination) == "/" {
		return invalid("mount target / would hide the whole rootfs; choose a directory below it")
	}
	switch {
	case m.Type == TypeVolume:
		return validateVolume(m)
	case isBind(m.Type, m.Options):
		return cleanPath("mount source", m.Source)
	}
	return nil
}

// cleanPath checks that a path is absolute and can exist.
func cleanPath(what, path string) error {
	switch {
	case path == "":
		return invalid("%s is empty; give an absolute path", what)
	case !filepath.IsAbs(path):
		return invalid("%s %q is not an absolute path", what, path)
	}
	return checkText(what, path)
}

// checkText checks that a spec can hold a text: JSON is UTF-8, and its encoder silently
// puts other characters in the place of what is not. C ends a string at a zero byte.
func checkText(what, text string) error {
	switch {
	case strings.ContainsRune(text, 0):
		return invalid("%s %q holds a zero byte", what, text)
	case !utf8.ValidString(text):
		return invalid("%s %q is not UTF-8", what, text)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return executor.Errorf(executor.Invalid, format, args...)
}
