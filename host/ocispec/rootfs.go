package ocispec

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// FromRootfs returns a spec that runs o.Args in a root file system, with the usual
// isolation of containers. The directory is not copied: what the container writes stays
// in it.
func FromRootfs(dir string, o Options) (json.RawMessage, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := cleanPath("rootfs", dir); err != nil {
		return nil, err
	}
	rootfs, err := rootDirectory(dir)
	if err != nil {
		return nil, invalid("rootfs %w", err)
	}
	base := defaultSpec()
	o.inside(base, rootfs)
	raw, err := json.Marshal(base)
	if err != nil {
		return nil, executor.Errorf(executor.Internal, "default spec: %w", err)
	}
	spec, err := parseObject(raw, "")
	if err != nil {
		return nil, executor.Errorf(executor.Internal, "default spec: %w", err)
	}
	if raw, err = o.apply(spec, rootfs); err != nil {
		return nil, invalid("%w", err)
	}
	return raw, nil
}

// directory returns the path of a directory without symbolic links: runtimes refuse them
// in the path of a rootfs.
func directory(path string) (string, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("%q: %w", path, reason(err))
	}
	info, err := os.Stat(resolved)
	if err != nil {
		return "", fmt.Errorf("%q: %w", path, reason(err))
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%q is not a directory", path)
	}
	return resolved, nil
}

// rootDirectory returns the path of a directory that can be a rootfs.
func rootDirectory(path string) (string, error) {
	dir, err := directory(path)
	if err == nil && dir == "/" {
		return "", fmt.Errorf("%q is the host's own root; give a directory that the container may change", path)
	}
	return dir, err
}

// reason returns an error without its path, which the message has already.
func reason(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}

// defaultSpec returns the spec of a container without options.
func defaultSpec() *specs.Spec {
	capabilities := []string{
		"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
		"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
	}
	return &specs.Spec{
		Version: "1.0.2",
		Root:    &specs.Root{},
		Process: &specs.Process{
			Cwd: "/",
			Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
			// No inheritable or ambient ones: a process of another user has none.
			Capabilities: &specs.LinuxCapabilities{Bounding: capabilities, Effective: capabilities, Permitted: capabilities},
			Rlimits:      defaultUlimits(),
			OOMScoreAdj:  defaultOOMScore(),
		},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
			{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
			{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
			{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
			{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"}},
		},
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace}, {Type: specs.NetworkNamespace}, {Type: specs.IPCNamespace},
				{Type: specs.UTSNamespace}, {Type: specs.MountNamespace}, {Type: specs.CgroupNamespace},
			},
			Sysctl: defaultSysctls(),
			// Runtimes add the devices that every container has.
			Resources: &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}},
			MaskedPaths: []string{
				"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
				"/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
			},
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
}
