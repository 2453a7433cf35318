package oci

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/executors/internal/command"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// Spec is a checked spec, ready for a shim.
type Spec struct {
	JSON     json.RawMessage
	Terminal bool
	// Command is the first of the workload's arguments.
	Command string
	// Scheduled says that it asks for a scheduler, and so for a nice value.
	Scheduled bool

	// Namespaces are the paths of namespaces that it joins.
	Namespaces []string

	// Pipes is who the pipes of the first process should belong to, so that it can open
	// /dev/stdout.
	Pipes runtimes.Owner

	look command.Command
	root string
}

// Cgrouping is what a container's cgroup is chosen by, if its spec names none.
type Cgrouping struct {
	Owner  Owner
	Parent string // of the config
	CID    string
	// Systemd says that systemd is to make it: an option of the runtime, nil if it has
	// no such option. PrepareSpec changes it to what fits the spec.
	Systemd **bool
}

// PrepareSpec checks in a spec what would otherwise fail late or with an obscure
// message, and sets its cgroup. Unknown fields pass through unchanged.
func PrepareSpec(spec json.RawMessage, c Cgrouping) (Spec, error) {
	if len(spec) > executor.MaxSpecSize {
		return Spec{}, executor.Errorf(executor.Invalid, "spec has %d bytes, at most %d are allowed", len(spec), executor.MaxSpecSize)
	}
	var s struct {
		Version string `json:"ociVersion"`
		Root    *struct {
			Path string `json:"path"`
		} `json:"root"`
		Process *struct {
			Terminal bool      `json:"terminal"`
			Args     []string  `json:"args"`
			Env      []string  `json:"env"`
			Cwd      string    `json:"cwd"`
			Schedule *struct{} `json:"scheduler"`
			User     struct {
				UID uint32 `json:"uid"`
				GID uint32 `json:"gid"`
			} `json:"user"`
		} `json:"process"`
		Mounts []struct {
			Destination string `json:"destination"`
		} `json:"mounts"`
		Hooks map[string]json.RawMessage `json:"hooks"`
		Linux *struct {
			CgroupsPath string `json:"cgroupsPath"`
			Namespaces  []struct {
				Path string `json:"path"`
			} `json:"namespaces"`
			UIDMappings []mapping `json:"uidMappings"`
			GIDMappings []mapping `json:"gidMappings"`
		} `json:"linux"`
	}
	if err := json.Unmarshal(spec, &s); err != nil {
		return Spec{}, executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	switch {
	case s.Version == "":
		return Spec{}, executor.Errorf(executor.Invalid, "spec has no ociVersion")
	case s.Root == nil || s.Root.Path == "":
		return Spec{}, executor.Errorf(executor.Invalid, "spec has no root.path")
	case !filepath.IsAbs(s.Root.Path):
		return Spec{}, executor.Errorf(executor.Invalid, "spec's root.path %q is not absolute", s.Root.Path)
	case s.Process == nil || len(s.Process.Args) == 0:
		return Spec{}, executor.Errorf(executor.Invalid, "spec has no process.args")
	}
	look := command.Command{Args: s.Process.Args, Env: s.Process.Env, Cwd: s.Process.Cwd}
	for _, m := range s.Mounts {
		look.Mounts = append(look.Mounts, m.Destination)
	}
	if len(s.Hooks) > 0 {
		look.Mounts = []string{"/"} // a hook may change the root file system
	}
	named := ""
	if s.Linux != nil {
		named = s.Linux.CgroupsPath
	}
	cgroup, systemd, err := c.choose(named)
	if err != nil {
		return Spec{}, err
	}
	if *c.Systemd != nil {
		*c.Systemd = &systemd
	}
	w := Spec{look: look, root: s.Root.Path, JSON: spec, Terminal: s.Process.Terminal, Command: s.Process.Args[0], Scheduled: s.Process.Schedule != nil}
	w.Pipes = runtimes.Owner(s.Process.User)
	if s.Linux != nil {
		for _, n := range s.Linux.Namespaces {
			if n.Path != "" {
				w.Namespaces = append(w.Namespaces, n.Path)
			}
		}
		w.Pipes.UID = onHost(w.Pipes.UID, s.Linux.UIDMappings)
		w.Pipes.GID = onHost(w.Pipes.GID, s.Linux.GIDMappings)
	}
	if cgroup != named {
		w.JSON, err = edit(w.JSON, "linux", func(linux members) { linux.setDefault("cgroupsPath", cgroup, true) })
	}
	if err == nil && systemd {
		w.JSON, err = edit(w.JSON, "annotations", func(annotations members) { annotations.setDefault(stopTimeout, "uint64 10000000", false) })
	}
	return w, err
}

// mapping maps ids of a user namespace.
type mapping struct {
	Container uint32 `json:"containerID"`
	Host      uint32 `json:"hostID"`
	Size      uint32 `json:"size"`
}

// onHost returns an id of a container as it is on the host. An id that is not mapped is
// for the runtime to refuse.
func onHost(id uint32, mappings []mapping) uint32 {
	for _, m := range mappings {
		if id >= m.Container && id-m.Container < m.Size {
			return m.Host + (id - m.Container)
		}
	}
	return id
}

// CheckCommand checks that the workload's command can be executed, as far as that can be
// known before it is: see package command.
func (s Spec) CheckCommand() error {
	_, err := s.look.Find(s.root)
	return err
}

// Root returns the path of the root file system.
func (s Spec) Root() string { return s.root }

// InBundle returns s with the root file system that the shim mounts in the bundle.
func (s Spec) InBundle() (Spec, error) {
	var err error
	s.JSON, err = edit(s.JSON, "root", func(root members) { root["path"] = json.RawMessage(`"rootfs"`) })
	return s, err
}

// stopTimeout bounds how long systemd waits, when the machine goes down, for a container
// that ignores SIGTERM. Its own default is 90 s; 10 s is how long a stop waits.
const stopTimeout = "org.systemd.property.TimeoutStopUSec"

// choose returns the cgroup of a container whose spec names one, or none, and whether
// systemd is to make it. What is named decides: a path cannot be made by systemd, nor a
// scope without it.
func (c Cgrouping) choose(named string) (cgroup string, systemd bool, err error) {
	systemd = *c.Systemd != nil && **c.Systemd
	slice, rest, colons := strings.Cut(named, ":")
	switch {
	case named == "":
		return c.Owner.Cgroup(c.Parent, c.CID, systemd), systemd, nil
	case colons && strings.Count(rest, ":") == 1 && (slice == "" || isSlice(slice)):
		if *c.Systemd != nil && !systemd && !linux.SystemdRuns() {
			return "", false, executor.Errorf(executor.Invalid, "spec's linux.cgroupsPath %q is a scope of systemd, which does not run this machine; leave it out, or give a path", named)
		}
		return named, true, nil
	case filepath.IsAbs(named):
		return named, false, nil
	}
	// Runtimes would make it below the executor's own cgroup, where it would stay.
	return filepath.Join(c.Owner.Cgroup(c.Parent, c.CID, false), filepath.Join("/", named)), false, nil
}

// members are those of a JSON object.
type members map[string]json.RawMessage

// setDefault sets a member, if it is absent or is to be replaced.
func (m members) setDefault(name, value string, replace bool) {
	if _, ok := m[name]; ok && !replace {
		return
	}
	m[name], _ = json.Marshal(value) // a string always can be
}

// edit changes an object in a spec, in the JSON itself, so that unknown fields survive.
func edit(spec json.RawMessage, name string, change func(members)) (json.RawMessage, error) {
	var top, object members
	err := json.Unmarshal(spec, &top)
	if err == nil && len(top[name]) > 0 {
		err = json.Unmarshal(top[name], &object)
	}
	if object == nil {
		object = make(members)
	}
	change(object)
	if err == nil {
		top[name], err = json.Marshal(object)
	}
	if err != nil {
		return nil, executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	return json.Marshal(top)
}
