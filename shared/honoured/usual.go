package honoured

import (
	"fmt"
	"slices"
	"strings"
)

// usualMounts are the kernel's file systems that every container has.
var usualMounts = map[string]string{
	"/proc":          "proc",
	"/dev":           "tmpfs",
	"/dev/pts":       "devpts",
	"/dev/shm":       "tmpfs",
	"/dev/mqueue":    "mqueue",
	"/sys":           "sysfs",
	"/sys/fs/cgroup": "cgroup",
}

// usualSysctls open what only matters in a network namespace of a container's own.
var usualSysctls = map[string]string{
	"net.ipv4.ip_unprivileged_port_start": "0",
	"net.ipv4.ping_group_range":           "0 2147483647",
}

// usualFiles are the files that a host makes for each container.
var usualFiles = []string{"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"}

// usualName is how many bytes of an id a host shows to people.
const usualName = 12

// IsUsualName reports whether a host name is what a host sets for a container that asks for
// none: its id, or the beginning of it.
func IsUsualName(id, name string) bool {
	return name == id || len(id) > usualName && name == id[:usualName]
}

// IsUsual reports whether a field has a value that the spec of every container, such as
// the one with this id, has by default: new namespaces and their settings, the kernel's
// file systems, hidden files in them, the host's own files, and no devices. No flag asks
// for these.
func IsUsual(id, path string, value any) bool {
	all := func(usual func(item map[string]any) bool) bool {
		list, ok := value.([]any)
		return ok && !slices.ContainsFunc(list, func(v any) bool {
			item, ok := v.(map[string]any)
			return !ok || !usual(item)
		})
	}
	switch path {
	case "mounts":
		return all(func(m map[string]any) bool {
			dest, _ := m["destination"].(string)
			kind, _ := m["type"].(string)
			source, _ := m["source"].(string)
			options, _ := m["options"].([]any)
			return IsUsualMount(dest, kind, options) || IsUsualFile(id, dest, source)
		})
	case "linux.sysctl":
		set, ok := value.(map[string]any)
		for name, v := range set {
			ok = ok && v == usualSysctls[name]
		}
		return ok
	case "linux.namespaces":
		return all(func(n map[string]any) bool {
			return Empty(n["path"]) && slices.Contains([]any{"pid", "network", "ipc", "uts", "mount", "cgroup"}, n["type"])
		})
	case "linux.maskedPaths", "linux.readonlyPaths":
		list, ok := value.([]any)
		return ok && !slices.ContainsFunc(list, func(v any) bool {
			s, _ := v.(string)
			return !strings.HasPrefix(s, "/proc/") && !strings.HasPrefix(s, "/sys/")
		})
	case "linux.resources.devices":
		return all(func(d map[string]any) bool { return d["allow"] == true || Empty(d["type"]) || d["type"] == "a" })
	}
	return false
}

// IsUsualFile reports whether a bind mount is of a file that the host has made for a
// container. Its name ends with the container's id and the file's place.
func IsUsualFile(id, dest, source string) bool {
	return slices.Contains(usualFiles, dest) && strings.HasSuffix(source, "/"+id+dest)
}

// IsUsualMount reports whether a mount is of one of the kernel's file systems that every
// container has, and has no size of its own.
func IsUsualMount(dest, kind string, options []any) bool {
	if usualMounts[dest] == "" || usualMounts[dest] != kind {
		return false
	}
	// /dev/shm has 64 MiB unless it is asked for more.
	return dest != "/dev/shm" || !slices.ContainsFunc(options, func(o any) bool {
		s := fmt.Sprint(o)
		return strings.HasPrefix(s, "size=") && s != "size=65536k"
	})
}
