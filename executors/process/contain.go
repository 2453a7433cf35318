package process

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/executors/internal/specfields"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// contain returns what a process with a root file system has of its own.
func contain(spec *specs.Spec, ignore []string) (*monitor.Contain, error) {
	c := &monitor.Contain{Hostname: spec.Hostname, ReadOnlyRoot: spec.Root.Readonly}
	if l := spec.Linux; l != nil {
		c.Masked, c.ReadOnly = l.MaskedPaths, l.ReadonlyPaths
	}
	for _, m := range spec.Mounts {
		if m.Type == "cgroup" && slices.Contains(ignore, specfields.Usual) && specfields.IsUsualMount("", m) {
			continue // without a namespace of cgroups it would show the machine's
		}
		made, err := mountOf(m)
		if err != nil {
			return nil, err
		}
		c.Mounts = append(c.Mounts, made)
	}
	return c, nil
}

// kinds are the file systems that can be mounted. Others could be anything on this
// machine's disks.
var kinds = []string{"bind", "devpts", "mqueue", "proc", "sysfs", "tmpfs"}

// flags are the options of mounts that are flags, set and unset.
var flags = map[string]uintptr{
	"bind": unix.MS_BIND, "rbind": unix.MS_BIND | unix.MS_REC, "ro": unix.MS_RDONLY, "nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV,
	"noexec": unix.MS_NOEXEC, "sync": unix.MS_SYNCHRONOUS, "dirsync": unix.MS_DIRSYNC, "noatime": unix.MS_NOATIME,
	"nodiratime": unix.MS_NODIRATIME, "relatime": unix.MS_RELATIME, "strictatime": unix.MS_STRICTATIME,
}

var unset = map[string]uintptr{
	"rw": unix.MS_RDONLY, "suid": unix.MS_NOSUID, "dev": unix.MS_NODEV, "exec": unix.MS_NOEXEC, "async": unix.MS_SYNCHRONOUS,
	"atime": unix.MS_NOATIME, "diratime": unix.MS_NODIRATIME, "norelatime": unix.MS_RELATIME, "nostrictatime": unix.MS_STRICTATIME, "defaults": 0,
}

var propagations = map[string]uintptr{
	"private": unix.MS_PRIVATE, "rprivate": unix.MS_PRIVATE | unix.MS_REC, "slave": unix.MS_SLAVE, "rslave": unix.MS_SLAVE | unix.MS_REC,
	"unbindable": unix.MS_UNBINDABLE, "runbindable": unix.MS_UNBINDABLE | unix.MS_REC,
}

// mountOf returns a mount of a spec as mount(2) wants it.
func mountOf(m specs.Mount) (monitor.Mount, error) {
	made := monitor.Mount{Type: m.Type, Source: m.Source, Target: filepath.Clean(m.Destination)}
	name := "mounts[" + m.Destination + "]"
	if !filepath.IsAbs(m.Destination) || made.Target == "/" {
		return made, executor.Errorf(executor.Invalid, "%s: give an absolute path below /", name)
	}
	var data []string
	for _, o := range m.Options {
		switch {
		case has(flags, o):
			made.Flags |= flags[o]
		case has(unset, o):
			made.Flags &^= unset[o]
		case has(propagations, o):
			made.Propagation = propagations[o]
		case o == "shared" || o == "rshared" || strings.HasPrefix(o, "idmap") || strings.HasPrefix(o, "r") && has(flags, o[1:]):
			return made, executor.Errorf(executor.Unsupported, `%s: a plain process cannot have a mount with the option %q; leave it out or choose another backend`, name, o)
		default:
			data = append(data, o)
		}
	}
	made.Data = strings.Join(data, ",")
	bind := made.Flags&unix.MS_BIND != 0
	switch {
	case m.Type == "bind" && !bind:
		made.Flags |= unix.MS_BIND
	case m.Type == "" && !bind, m.Type != "" && !slices.Contains(kinds, m.Type) && !bind:
		return made, executor.Errorf(executor.Unsupported, `%s: a plain process cannot have a mount of type %q; use one of %s, or choose another backend`, name, m.Type, strings.Join(kinds, ", "))
	}
	if made.Flags&unix.MS_BIND != 0 {
		made.Type = ""
		switch {
		case !filepath.IsAbs(m.Source):
			return made, executor.Errorf(executor.Invalid, "%s: the source %q is not absolute", name, m.Source)
		case made.Data != "":
			return made, executor.Errorf(executor.Invalid, "%s: a bind mount has no option %q", name, made.Data)
		}
	}
	made.Devices = made.Target == "/dev" && m.Type == "tmpfs"
	return made, nil
}

func has[V any](m map[string]V, key string) bool {
	_, ok := m[key]
	return ok
}
