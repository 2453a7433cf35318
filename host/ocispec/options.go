package ocispec

import (
	"math"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Options change a spec. The zero value of each field changes nothing.
type Options struct {
	// Args is the command, never run through a shell.
	Args []string `json:"args,omitempty"`
	// Env holds NAME=VALUE. Each replaces what the spec has for that name.
	Env []string `json:"env,omitempty"`
	// Cwd is the working directory in the container, absolute.
	Cwd string `json:"cwd,omitempty"`
	// User is USER[:GROUP], each a name from the rootfs or a number. Without a
	// group, the user's groups in the rootfs apply.
	User     string `json:"user,omitempty"`
	Hostname string `json:"hostname,omitempty"`
	// Mounts are added. They replace what the spec has at the same destination.
	// Sources of bind mounts are absolute and exist.
	Mounts []specs.Mount `json:"mounts,omitempty"`
	// ReadOnly makes the root file system read-only.
	ReadOnly bool `json:"read_only,omitempty"`
	// MemoryBytes limits the memory, without swap; at least [MinMemory].
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
	// CPUs limits the CPU time, in CPUs: 1.5 is one and a half.
	CPUs float64 `json:"cpus,omitempty"`
	// PidsLimit limits processes and threads; -1 is no limit.
	PidsLimit int64 `json:"pids_limit,omitempty"`
	// Terminal says whether the process has a terminal. It must agree with the
	// streams that the container gets. Nil keeps what a bundle says, which for
	// one made by `runc spec` is true.
	Terminal    *bool             `json:"terminal,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// MinMemory is the smallest memory limit, in bytes. With less, the runtime
// itself is killed before the container's process starts.
const MinMemory = 6 << 20

const (
	minCPUs   = 0.01 // of a period of 100 ms: the shortest quota that the kernel takes
	maxCPUs   = 8192 // as many as Linux can have
	cpuPeriod = 100_000

	maxHostname = 64 // bytes, the kernel's limit
)

var hostnamePattern = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?$`)

// Validate checks o without looking at any file.
func (o *Options) Validate() error {
	for _, arg := range o.Args {
		if strings.ContainsRune(arg, 0) {
			return invalid("argument %q holds a zero byte", arg)
		}
	}
	for _, env := range o.Env {
		name, _, ok := strings.Cut(env, "=")
		if !ok || name == "" || strings.ContainsRune(env, 0) {
			return invalid("environment variable %q is not of the form NAME=VALUE", env)
		}
	}
	if err := cleanPath("working directory", o.Cwd); o.Cwd != "" && err != nil {
		return err
	}
	if o.User != "" {
		user, group, hasGroup := strings.Cut(o.User, ":")
		if user == "" || hasGroup && group == "" || strings.ContainsAny(o.User, "\x00\n") || strings.Contains(group, ":") {
			return invalid("user %q is not of the form USER or USER:GROUP", o.User)
		}
	}
	if o.Hostname != "" && (len(o.Hostname) > maxHostname || !hostnamePattern.MatchString(o.Hostname)) {
		return invalid("host name %q is not allowed; use up to 64 letters, digits, '.', '_' and '-', beginning and ending with a letter or digit", o.Hostname)
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
	if o.PidsLimit < -1 {
		return invalid("pids limit %d is not possible; give a number from 1, or -1 for no limit", o.PidsLimit)
	}
	for key, value := range o.Annotations {
		if key == "" || strings.ContainsRune(key+value, 0) {
			return invalid("annotation %q=%q has no key or holds a zero byte", key, value)
		}
	}
	return nil
}

func validateMount(m specs.Mount) error {
	if err := cleanPath("mount target", m.Destination); err != nil {
		return err
	}
	if filepath.Clean(m.Destination) == "/" {
		return invalid("mount target / would hide the whole rootfs; choose a directory below it")
	}
	if isBind(m.Type, m.Options) {
		return cleanPath("mount source", m.Source)
	}
	return nil
}

// cleanPath checks that a path is absolute and can exist.
func cleanPath(what, path string) error {
	switch {
	case path == "":
		return invalid("%s is empty; give an absolute path", what)
	case strings.ContainsRune(path, 0):
		return invalid("%s %q holds a zero byte", what, path)
	case !filepath.IsAbs(path):
		return invalid("%s %q is not an absolute path", what, path)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return executor.Errorf(executor.Invalid, format, args...)
}
