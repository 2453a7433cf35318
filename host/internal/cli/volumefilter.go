package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/davit-run/davit/host/api"
)

// volumeFilters are the values of --filter by their keys. A volume passes if it has one of
// the values of each key, and all labels.
type volumeFilters map[string][]string

func (f volumeFilters) add(s string) error {
	key, value, ok := strings.Cut(s, "=")
	switch {
	case !ok || key != "dangling" && key != "label" && key != "name":
		return fmt.Errorf("it is not of the form KEY=VALUE with one of the keys dangling, label, name")
	case key == "dangling":
		dangling, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("dangling=%s is neither true nor false", value)
		}
		value = strconv.FormatBool(dangling)
	}
	f[key] = append(f[key], value)
	return nil
}

// apply returns the volumes that pass.
func (f volumeFilters) apply(all []api.Volume) []api.Volume {
	one := func(key string, has func(value string) bool) bool {
		return len(f[key]) == 0 || slices.ContainsFunc(f[key], has)
	}
	return slices.DeleteFunc(all, func(v api.Volume) bool {
		dangling := strconv.FormatBool(len(v.Containers) == 0)
		lacks := func(label string) bool { return !hasLabel(v.Labels, label) }
		return slices.ContainsFunc(f["label"], lacks) ||
			!one("dangling", func(value string) bool { return value == dangling }) ||
			!one("name", func(part string) bool { return strings.Contains(v.Name, part) })
	})
}
