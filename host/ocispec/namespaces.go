package ocispec

import (
	"maps"
	"os"
	"slices"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Values of the namespaces in [Options].
const (
	// NamespaceHost is the machine's own namespace.
	NamespaceHost = "host"
	// NamespacePrivate is a new namespace.
	NamespacePrivate = "private"
)

// ParseNamespace checks the value of a namespace.
func ParseNamespace(value string) (string, error) {
	if value != NamespaceHost && value != NamespacePrivate {
		return "", invalid("namespace %q is not known; use %s or %s", value, NamespacePrivate, NamespaceHost)
	}
	return value, nil
}

// namespaces returns what is asked for, by kind.
func (o *Options) namespaces() map[specs.LinuxNamespaceType]string {
	return map[specs.LinuxNamespaceType]string{
		specs.PIDNamespace: o.PID, specs.IPCNamespace: o.IPC, specs.UTSNamespace: o.UTS, specs.CgroupNamespace: o.Cgroupns,
	}
}

func (o *Options) validateNamespaces() error {
	for _, value := range o.namespaces() {
		if value == "" {
			continue
		}
		if _, err := ParseNamespace(value); err != nil {
			return err
		}
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
	if err := o.changeNetwork(spec); err != nil || o.IPC != NamespaceHost {
		return err
	}
	// The file systems of a namespace's objects are those of the namespace in which they
	// were mounted.
	return spec.changeMounts(func(m *specs.Mount) (changed, keep bool) {
		if (m.Destination != "/dev/shm" || m.Type != "tmpfs") && m.Type != "mqueue" {
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
		case NamespacePrivate:
			list = append(list, specs.LinuxNamespace{Type: kind})
		default:
			list = append(list, specs.LinuxNamespace{Type: kind, Path: value})
		}
		return linux.set("namespaces", list)
	}, "linux")
}
