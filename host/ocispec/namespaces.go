package ocispec

import (
	"os"
	"slices"

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
	if o.IPC != NamespaceHost {
		return nil
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

// setNamespace sets one namespace of a spec.
func setNamespace(spec *object, kind specs.LinuxNamespaceType, value string) error {
	return spec.edit(func(linux *object) error {
		var list []specs.LinuxNamespace
		if _, err := linux.get("namespaces", &list); err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(n specs.LinuxNamespace) bool { return n.Type == kind })
		if value == NamespacePrivate {
			list = append(list, specs.LinuxNamespace{Type: kind})
		}
		return linux.set("namespaces", list)
	}, "linux")
}
