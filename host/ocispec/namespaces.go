package ocispec

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Values of the namespaces in [Options].
const (
	// NamespaceHost is the machine's own namespace.
	NamespaceHost = "host"
	// NamespacePrivate is a new namespace.
	NamespacePrivate = "private"
	// NamespaceContainer begins the namespace of another container, whose name or id follows.
	NamespaceContainer = "container:"
	// NamespaceShareable is a new namespace for shared memory which other containers may
	// have, too, and NamespaceNone a new one without /dev/shm.
	NamespaceShareable = "shareable"
	NamespaceNone      = "none"
)

// ParseNamespace checks the value of a namespace: [NamespacePrivate], [NamespaceHost] or one
// of others, of which [NamespaceContainer] is followed by a name.
func ParseNamespace(value string, others ...string) (string, error) {
	words := append([]string{NamespacePrivate, NamespaceHost}, others...)
	if name, ok := strings.CutPrefix(value, NamespaceContainer); ok && slices.Contains(others, NamespaceContainer) {
		if name == "" {
			return "", invalid("namespace %q: the container is missing; write %sNAME", value, NamespaceContainer)
		}
		return value, checkText("namespace", value)
	}
	if value != NamespaceContainer && slices.Contains(words, value) {
		return value, nil
	}
	for i, word := range words {
		if word == NamespaceContainer {
			words[i] = word + "NAME"
		}
	}
	last := len(words) - 1
	return "", invalid("namespace %q is not known; use %s or %s", value, strings.Join(words[:last], ", "), words[last])
}

// ParsePID checks the value of the namespace for processes.
func ParsePID(value string) (string, error) { return ParseNamespace(value, NamespaceContainer) }

// ParseIPC checks the value of the namespace for shared memory.
func ParseIPC(value string) (string, error) {
	return ParseNamespace(value, NamespaceShareable, NamespaceNone, NamespaceContainer)
}

// OtherContainer returns the name or id in a namespace that is another container's.
func OtherContainer(namespace string) (reference string, ok bool) {
	return strings.CutPrefix(namespace, NamespaceContainer)
}

// newNamespace reports whether a value of IPC is a new namespace.
func newNamespace(value string) bool {
	return value == "" || value == NamespacePrivate || value == NamespaceShareable || value == NamespaceNone
}

// namespaces returns what is asked for, by kind.
func (o *Options) namespaces() map[specs.LinuxNamespaceType]string {
	return map[specs.LinuxNamespaceType]string{
		specs.PIDNamespace: o.PID, specs.IPCNamespace: o.IPC, specs.UTSNamespace: o.UTS, specs.CgroupNamespace: o.Cgroupns,
	}
}

func (o *Options) validateNamespaces() error {
	for _, ns := range []struct {
		value string
		parse func(string) (string, error)
	}{
		{o.PID, ParsePID}, {o.IPC, ParseIPC},
		{o.UTS, func(s string) (string, error) { return ParseNamespace(s) }},
		{o.Cgroupns, func(s string) (string, error) { return ParseNamespace(s) }},
	} {
		if ns.value == "" {
			continue
		}
		if _, err := ns.parse(ns.value); err != nil {
			return err
		}
	}
	if err := o.validateShm(); err != nil {
		return err
	}
	if o.Network != "" && o.Network != NamespaceHost && o.Network != NamespacePrivate {
		if err := cleanPath("network namespace", o.Network); err != nil {
			return err
		}
	}
	if o.UTS == NamespaceHost && o.Hostname != "" {
		return invalid("host name %q does not go with uts %s, which has the machine's; leave one of them out", o.Hostname, NamespaceHost)
	}
	return nil
}

func (o *Options) changeNamespaces(spec *object, _ string) error {
	for kind, value := range o.namespaces() {
		if value == "" {
			continue
		}
		if err := setNamespace(spec, kind, value); err != nil {
			return err
		}
	}
	if err := o.changeNetwork(spec); err != nil {
		return err
	}
	switch {
	case o.IPC == NamespaceNone:
		return spec.changeMounts(func(m *specs.Mount) (changed, keep bool) { return false, !isShm(m) })
	case o.Shm != "":
		return spec.changeMounts(func(m *specs.Mount) (changed, keep bool) {
			if isShm(m) {
				*m = specs.Mount{Destination: m.Destination, Type: "bind", Source: o.Shm, Options: []string{"bind", "nosuid", "noexec", "nodev"}}
				return true, true
			}
			return false, true
		})
	case o.IPC != NamespaceHost:
		return nil
	}
	// The file systems of a namespace's objects are those of the namespace in which they
	// were mounted.
	return spec.changeMounts(func(m *specs.Mount) (changed, keep bool) {
		if !isShm(m) && m.Type != "mqueue" {
			return false, true
		}
		_, err := os.Stat(m.Destination)
		*m = specs.Mount{Destination: m.Destination, Type: "bind", Source: m.Destination, Options: []string{"rbind", "nosuid", "noexec", "nodev"}}
		return true, err == nil
	})
}

// changeNetwork sets the network namespace. The sysctls of the default spec are for one that
// is not the machine's.
func (o *Options) changeNetwork(spec *object) error {
	if o.Network == "" {
		return nil
	}
	if o.Network == NamespacePrivate {
		if err := askNetwork(spec, executor.NetworkAlone); err != nil {
			return err
		}
	}
	if err := setNamespace(spec, specs.NetworkNamespace, o.Network); err != nil || o.Network != NamespaceHost {
		return err
	}
	return spec.edit(func(linux *object) error {
		set := map[string]string{}
		if found, err := linux.get("sysctl", &set); err != nil || !found {
			return err
		}
		maps.DeleteFunc(set, func(name, _ string) bool { return ofNetwork(name) })
		return linux.set("sysctl", set)
	}, "linux")
}

// askNetwork says in a spec that a user has asked for what it has as its network.
func askNetwork(spec *object, network string) error {
	annotations := map[string]string{} // no patch: the case of keys matters
	if _, err := spec.get("annotations", &annotations); err != nil {
		return err
	}
	annotations[executor.AnnotationNetwork] = network
	return spec.set("annotations", annotations)
}

// setNamespace sets one namespace of a spec: to a new one, the machine's, or that at a path.
func setNamespace(spec *object, kind specs.LinuxNamespaceType, value string) error {
	return spec.edit(func(linux *object) error {
		var list []specs.LinuxNamespace
		if _, err := linux.get("namespaces", &list); err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(n specs.LinuxNamespace) bool { return n.Type == kind })
		switch value {
		case NamespaceHost:
		case NamespacePrivate, NamespaceShareable, NamespaceNone:
			list = append(list, specs.LinuxNamespace{Type: kind})
		default:
			list = append(list, specs.LinuxNamespace{Type: kind, Path: value})
		}
		return linux.set("namespaces", list)
	}, "linux")
}

// Enter returns a spec with the paths of namespaces, by kind, of which only the start of a
// container knows the paths, such as those of [NamespaceContainer]. Everything else in it
// keeps its bytes.
func Enter(raw json.RawMessage, paths map[specs.LinuxNamespaceType]string) (json.RawMessage, error) {
	spec, err := parseObject(raw, "")
	for _, kind := range slices.Sorted(maps.Keys(paths)) {
		if err == nil {
			err = setNamespace(spec, kind, paths[kind])
		}
	}
	if err != nil {
		return nil, executor.Errorf(executor.Internal, "reading back the spec: %w", err)
	}
	return json.Marshal(spec)
}
