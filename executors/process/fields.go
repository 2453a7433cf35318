package process

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// honoured lists the fields of the spec that mean here what they say, by their
// path. Whatever is not in it, is not empty and is not ignored is refused.
var honoured = []string{
	"ociVersion",
	"annotations",
	"root.path",
	"process.args",
	"process.env",
	"process.cwd",
	"process.terminal",
	"process.consoleSize",
	"process.user.uid",
	"process.user.gid",
	"process.user.umask",
	"process.user.additionalGids",
	"process.rlimits",
	"process.oomScoreAdj",
	"process.noNewPrivileges",
	"process.capabilities",
	"linux.cgroupsPath",
	"linux.resources.memory.limit",
	"linux.resources.memory.swap",
	"linux.resources.cpu.shares",
	"linux.resources.cpu.quota",
	"linux.resources.cpu.period",
	"linux.resources.pids.limit",
}

// parent reports whether there are honoured fields below a path, so that what is
// below is looked at one by one.
func parent(path string) bool {
	return path == "" || slices.ContainsFunc(honoured, func(h string) bool { return strings.HasPrefix(h, path+".") })
}

// join gives the path of a member.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// ignorable lists what Config.Ignore may hold, in order.
func ignorable() []string {
	names := []string{usual}
	var walk func(path string, t reflect.Type)
	walk = func(path string, t reflect.Type) {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			p := join(path, name)
			switch p {
			case "ociVersion", "process", "process.args":
			default:
				names = append(names, p)
			}
			if parent(p) {
				walk(p, f.Type)
			}
		}
	}
	walk("", reflect.TypeFor[specs.Spec]())
	slices.Sort(names)
	return names
}

// sift takes from a spec what is to be ignored, and refuses what is left and
// cannot be honoured.
func sift(raw json.RawMessage, ignore []string) (*specs.Spec, error) {
	var tree map[string]any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	var refused []string
	if siftObject("", tree, ignore, &refused); len(refused) > 0 {
		hint := `add "` + strings.Join(refused, `", "`) + `" to "ignore" in the backend's config`
		if !slices.Contains(ignore, usual) {
			hint += `, or "` + usual + `" for what every container asks for`
		}
		return nil, executor.Errorf(executor.Unsupported, "the spec asks for what a plain process on the host cannot have: %s; leave it out, choose another backend, or, to do without, %s", strings.Join(refused, ", "), hint)
	}
	rest, err := json.Marshal(tree)
	if err != nil {
		return nil, err
	}
	spec := new(specs.Spec)
	if err := json.Unmarshal(rest, spec); err != nil {
		return nil, executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	return spec, nil
}

func siftObject(path string, object map[string]any, ignore []string, refused *[]string) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		p, value := join(path, name), object[name]
		inner, isObject := value.(map[string]any)
		switch {
		case slices.Contains(ignore, p), empty(value), slices.Contains(ignore, usual) && usualValue(p, value):
			if !slices.Contains(honoured, p) || slices.Contains(ignore, p) {
				delete(object, name)
			}
		case slices.Contains(honoured, p):
		case isObject && parent(p):
			siftObject(p, inner, ignore, refused)
		default:
			*refused = append(*refused, p)
		}
	}
}

// empty reports whether a value asks for nothing.
func empty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case bool:
		return !v
	case float64:
		return v == 0
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return !slices.ContainsFunc(slices.Collect(maps.Values(v)), func(m any) bool { return !empty(m) })
	}
	return false
}

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

// usualValue reports whether a field has a value that specs for containers have
// without being asked for it: new namespaces, the kernel's file systems, hidden
// files in them, and no devices. There is no flag that asks for these.
func usualValue(path string, value any) bool {
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
			return usualMounts[dest] != "" && m["type"] == usualMounts[dest] && usualSize(dest, m["options"])
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

// usualSize reports whether a mount has no size of its own: /dev/shm has 64 MiB.
func usualSize(dest string, options any) bool {
	list, _ := options.([]any)
	return dest != "/dev/shm" || !slices.ContainsFunc(list, func(o any) bool {
		s := fmt.Sprint(o)
		return strings.HasPrefix(s, "size=") && s != "size=65536k"
	})
}
