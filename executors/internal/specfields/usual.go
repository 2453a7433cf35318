package specfields

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
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

// IsUsual reports whether a field has a value that specs for containers have
// without being asked for it: new namespaces, the kernel's file systems, hidden
// files in them, and no devices. There is no flag that asks for these.
func IsUsual(path string, value any) bool {
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
			options, _ := m["options"].([]any)
			return isUsualMount(dest, kind, options)
		})
	case "linux.namespaces":
		return all(func(n map[string]any) bool {
			return empty(n["path"]) && slices.Contains([]any{"pid", "network", "ipc", "uts", "mount", "cgroup"}, n["type"])
		})
	case "linux.maskedPaths", "linux.readonlyPaths":
		list, ok := value.([]any)
		return ok && !slices.ContainsFunc(list, func(v any) bool {
			s, _ := v.(string)
			return !strings.HasPrefix(s, "/proc/") && !strings.HasPrefix(s, "/sys/")
		})
	case "linux.resources.devices":
		return all(func(d map[string]any) bool { return d["allow"] == true || empty(d["type"]) || d["type"] == "a" })
	}
	return false
}

// IsUsualMount reports whether a mount is of one of the kernel's file systems that
// every container has, and has no size of its own.
func IsUsualMount(m specs.Mount) bool {
	var options []any
	for _, o := range m.Options {
		options = append(options, o)
	}
	return isUsualMount(m.Destination, m.Type, options)
}

func isUsualMount(dest, kind string, options []any) bool {
	if usualMounts[dest] == "" || usualMounts[dest] != kind {
		return false
	}
	// /dev/shm has 64 MiB unless it is asked for more.
	return dest != "/dev/shm" || !slices.ContainsFunc(options, func(o any) bool {
		s := fmt.Sprint(o)
		return strings.HasPrefix(s, "size=") && s != "size=65536k"
	})
}
