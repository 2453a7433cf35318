package honoured

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/davit-run/davit/shared/executor"
)

// Fields are the paths, such as "process.args", of the fields of an OCI spec that an executor
// honours, with all that is in each.
type Fields []string

// Check refuses a workload whose spec asks for something else. The error is
// [executor.Unsupported] and names the fields, or [executor.Invalid] for a spec that is no JSON
// object.
func (f Fields) Check(w executor.Workload) error {
	numbers := json.NewDecoder(bytes.NewReader(w.Spec))
	numbers.UseNumber()
	var spec map[string]any
	if err := numbers.Decode(&spec); err != nil {
		return executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	ForgetUnasked(spec)
	if name, _ := spec["hostname"].(string); IsUsualName(w.Ref.ID, name) {
		delete(spec, "hostname")
	}
	if refused := f.others(w.Ref.ID, "", spec); len(refused) > 0 {
		return executor.Errorf(executor.Unsupported, "this executor does not honour what the spec asks for: %s; leave it out, or choose another backend", strings.Join(refused, ", "))
	}
	return nil
}

// others returns the paths of the fields of an object that are not honoured, sorted.
func (f Fields) others(id, path string, object map[string]any) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		p := strings.TrimPrefix(path+"."+name, ".")
		inner, isObject := object[name].(map[string]any)
		switch {
		case Empty(object[name]), slices.Contains(f, p), IsUsual(id, p, object[name]):
		case isObject && f.within(p):
			all = append(all, f.others(id, p, inner)...)
		default:
			all = append(all, p)
		}
	}
	return all
}

// within reports whether there may be something honoured in a field, or something usual.
func (f Fields) within(path string) bool {
	return path == "process" || path == "linux" || path == "linux.resources" ||
		slices.ContainsFunc(f, func(h string) bool { return strings.HasPrefix(h, path+".") })
}

// Empty reports whether a value of a field asks for nothing. Numbers are those of a decoder
// with UseNumber.
func Empty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case bool:
		return !v
	case json.Number:
		n, err := v.Float64()
		return err == nil && n == 0
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return !slices.ContainsFunc(slices.Collect(maps.Values(v)), func(m any) bool { return !Empty(m) })
	}
	return false
}
