package ocispec

import (
	"maps"
	"slices"
	"strings"
)

// ParseSysctl parses NAME=VALUE.
func ParseSysctl(value string) (name, setting string, err error) {
	name, setting, ok := strings.Cut(value, "=")
	if !ok || name == "" {
		return "", "", invalid("sysctl %q is not of the form NAME=VALUE, such as net.core.somaxconn=1024", value)
	}
	return name, setting, checkSysctl(name, setting)
}

// checkSysctl refuses settings that are not a namespace's own: they would change the
// machine for all.
func checkSysctl(name, value string) error {
	if err := checkText("sysctl", name+"="+value); err != nil {
		return err
	}
	dotted := strings.ReplaceAll(name, "/", ".")
	ofIPC := []string{
		"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
		"kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
	}
	if strings.HasPrefix(dotted, "net.") || strings.HasPrefix(dotted, "fs.mqueue.") || slices.Contains(ofIPC, dotted) {
		return nil
	}
	return invalid("sysctl %q would be changed for the whole machine; only those of a container's own namespaces can be set: net.*, fs.mqueue.*, kernel.msg*, kernel.sem and kernel.shm*", name)
}

// ofNetwork reports whether a sysctl is a network namespace's.
func ofNetwork(name string) bool {
	return strings.HasPrefix(strings.ReplaceAll(name, "/", "."), "net.")
}

func (o *Options) validateSysctls() error {
	for name, value := range o.Sysctls {
		if err := checkSysctl(name, value); err != nil {
			return err
		}
		if ofNetwork(name) && o.Network == NamespaceHost {
			return invalid("sysctl %q is the machine's own with network %s; leave one of them out", name, NamespaceHost)
		}
		switch {
		case ofNetwork(name) || newNamespace(o.IPC):
		case o.IPC == NamespaceHost:
			return invalid("sysctl %q is the machine's own with ipc %s; leave one of them out", name, NamespaceHost)
		default:
			return invalid("sysctl %q is another container's with ipc %s; leave one of them out", name, o.IPC)
		}
	}
	return nil
}

func (o *Options) changeSysctls(spec *object, _ string) error {
	if len(o.Sysctls) == 0 {
		return nil
	}
	return spec.edit(func(linux *object) error {
		set := map[string]string{} // no patch: a name may have dots and any case
		if _, err := linux.get("sysctl", &set); err != nil {
			return err
		}
		maps.Copy(set, o.Sysctls)
		return linux.set("sysctl", set)
	}, "linux")
}
