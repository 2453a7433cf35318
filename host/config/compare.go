package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/diag"
)

// At returns the place of an attribute of c, or the nearest to it. It is zero unless c was
// read from files.
func (c *Config) At(path ...string) diag.Range {
	at, _ := c.source.locate(path...)
	return at
}

// At returns the place of an attribute of b, or the nearest to it. It is zero unless b was
// read from files.
func (b *Backend) At(path ...string) diag.Range { return b.at(path...) }

// Difference is what differs between two configs of a backend.
type Difference struct {
	// Settings names what its executor must be started again for, such as "user", "config"
	// and `runtime "crun"`.
	Settings []string
	// Rest names what concerns the host alone, such as "defaults".
	Rest []string
}

// Any reports whether anything differs.
func (d Difference) Any() bool { return len(d.Settings)+len(d.Rest) > 0 }

// String lists what differs.
func (d Difference) String() string {
	return strings.Join(slices.Concat(d.Settings, d.Rest), ", ")
}

// Compare returns what differs between b and an earlier config of the backend. The order
// of attributes, comments and places do not count, nor that of runtimes.
func (b *Backend) Compare(before *Backend) Difference {
	var d Difference
	note := func(list *[]string, name string, differs bool) {
		if differs {
			*list = append(*list, name)
		}
	}
	note(&d.Settings, "executor", b.Executor != before.Executor)
	note(&d.Settings, "sha256", !strings.EqualFold(b.SHA256, before.SHA256))
	note(&d.Settings, "user", b.User != before.User)
	note(&d.Settings, "config", canonical(b.Config) != canonical(before.Config))
	now, then := runtimeBodies(b), runtimeBodies(before)
	both := maps.Clone(now)
	maps.Copy(both, then)
	for _, name := range slices.Sorted(maps.Keys(both)) {
		a, has := now[name]
		old, had := then[name]
		note(&d.Settings, fmt.Sprintf("runtime %q", name), has != had || a != old)
	}
	note(&d.Settings, "default_runtime", b.DefaultRuntime != before.DefaultRuntime)
	note(&d.Rest, "image_store", cmp.Or(b.ImageStore, "host") != cmp.Or(before.ImageStore, "host"))
	note(&d.Rest, "start_timeout", b.StartLimit() != before.StartLimit())
	note(&d.Rest, "defaults", canonical(b.Defaults) != canonical(before.Defaults))
	return d
}

func runtimeBodies(b *Backend) map[string]string {
	all := map[string]string{}
	for _, r := range b.Runtimes {
		all[r.Name] = canonical(r.Body)
	}
	return all
}

// canonical returns a text that is the same for values which mean the same.
func canonical(v any) string {
	made, err := toBody(v)
	if err != nil {
		return fmt.Sprintf("%#v", v) // which is refused elsewhere
	}
	text, err := json.Marshal(plain(made))
	if err != nil {
		return fmt.Sprintf("%#v", v)
	}
	return string(text)
}

// plain returns a value without its places. Null stands for absent.
func plain(v any) any {
	switch v := v.(type) {
	case *body:
		object := map[string]any{}
		for _, it := range v.items {
			if it.value != nil {
				object[strings.Join(append([]string{it.name}, it.labels...), " ")] = plain(it.value)
			}
		}
		return object
	case []node:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plain(v[i].value)
		}
		return list
	}
	return v
}
