package specfields

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/honoured"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Usual stands in a list of ignored fields for the isolation that every container
// spec has: see [honoured.IsUsual].
const Usual = "usual"

// Filter knows the fields that an executor honours.
type Filter struct {
	// Honoured lists the paths of the fields that the executor honours. Any other
	// field that is neither empty nor ignored is refused.
	Honoured []string
	// Workload names, in messages, what cannot have the other fields, such as "a
	// plain process on the host".
	Workload string
	// NetNS says that the executor honours a network namespace, whatever it does with others.
	NetNS bool
}

// parent reports whether there are honoured fields below a path, so that the fields
// below it are checked one by one.
func (f Filter) parent(path string) bool {
	return path == "" || slices.ContainsFunc(f.Honoured, func(h string) bool { return strings.HasPrefix(h, path+".") })
}

// join returns the path of a member.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// Ignorable lists what may be ignored, in order.
func (f Filter) Ignorable() []string {
	names := []string{Usual}
	var walk func(path string, t reflect.Type)
	walk = func(path string, t reflect.Type) {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		for field := range t.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			p := join(path, name)
			switch p {
			case "ociVersion", "process", "process.args":
			default:
				names = append(names, p)
			}
			if f.parent(p) {
				walk(p, field.Type)
			}
		}
	}
	walk("", reflect.TypeFor[specs.Spec]())
	slices.Sort(names)
	return names
}

// Sift returns a workload's spec without the fields to ignore. If a field is left
// that cannot be honoured, the error is [executor.Unsupported].
func (f Filter) Sift(w executor.Workload, ignore []string) (*specs.Spec, error) {
	raw := w.Spec
	var tree map[string]any
	if len(raw) > executor.MaxSpecSize {
		return nil, executor.Errorf(executor.Invalid, "spec has %d bytes, at most %d are allowed", len(raw), executor.MaxSpecSize)
	}
	// This comes first, since a malformed spec is Invalid whatever it asks for.
	if err := json.Unmarshal(raw, new(specs.Spec)); err != nil {
		return nil, executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	numbers := json.NewDecoder(bytes.NewReader(raw))
	numbers.UseNumber() // a float64 has 53 bits, and limits have 64
	if err := numbers.Decode(&tree); err != nil {
		return nil, executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	if name, _ := tree["hostname"].(string); slices.Contains(ignore, Usual) && honoured.IsUsualName(w.Ref.ID, name) && !slices.Contains(f.Honoured, "hostname") {
		dropHostname(tree, name)
	}
	honoured.ForgetUnasked(tree)
	var refused []string
	if f.sift(w.Ref.ID, "", tree, ignore, &refused); len(refused) > 0 {
		hint := `add "` + strings.Join(refused, `", "`) + `" to "ignore" in the backend's config`
		if !slices.Contains(ignore, Usual) {
			hint += `, or "` + Usual + `" for what every container asks for`
		}
		return nil, executor.Errorf(executor.Unsupported, "the spec asks for what %s cannot have: %s; leave it out, choose another backend, or, to do without, %s", f.Workload, strings.Join(refused, ", "), hint)
	}
	rest, err := json.Marshal(tree)
	if err != nil {
		return nil, err
	}
	spec := new(specs.Spec)
	if err := json.Unmarshal(rest, spec); err != nil {
		return nil, executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	switch {
	case spec.Version == "":
		return nil, executor.Errorf(executor.Invalid, "spec has no ociVersion")
	case spec.Process == nil || len(spec.Process.Args) == 0:
		return nil, executor.Errorf(executor.Invalid, "spec has no process.args")
	case spec.Process.Cwd != "" && !filepath.IsAbs(spec.Process.Cwd):
		return nil, executor.Errorf(executor.Invalid, "spec's process.cwd %q is not absolute", spec.Process.Cwd)
	}
	return spec, nil
}

// dropHostname removes a host name from a spec, and the variable that says it.
func dropHostname(spec map[string]any, name string) {
	delete(spec, "hostname")
	if process, ok := spec["process"].(map[string]any); ok {
		if env, ok := process["env"].([]any); ok {
			process["env"] = slices.DeleteFunc(env, func(e any) bool { return e == "HOSTNAME="+name })
		}
	}
}

func (f Filter) sift(id, path string, object map[string]any, ignore []string, refused *[]string) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		p, value := join(path, name), object[name]
		inner, isObject := value.(map[string]any)
		if f.NetNS && p == namespaces && !slices.Contains(ignore, p) {
			value = takeNetwork(object, name)
		}
		switch {
		case slices.Contains(ignore, p), honoured.Empty(value), slices.Contains(ignore, Usual) && honoured.IsUsual(id, p, value):
			if !slices.Contains(f.Honoured, p) && !(f.NetNS && p == namespaces) || slices.Contains(ignore, p) {
				delete(object, name)
			}
		case slices.Contains(f.Honoured, p):
		case isObject && f.parent(p):
			f.sift(id, p, inner, ignore, refused)
		default:
			*refused = append(*refused, p)
		}
	}
}
