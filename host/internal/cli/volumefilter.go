package cli

import (
	"slices"
	"strconv"
	"strings"

	"github.com/davit-run/davit/host/api"
)

// volumeFilterKeys are the keys of --filter for volumes.
var volumeFilterKeys = []string{"dangling", "label", "name"}

// volumeFilters are the values of --filter by their keys. A volume passes if it has one of
// the values of each key, and all labels.
type volumeFilters map[string][]string

func (f volumeFilters) add(s string) error {
	key, value, err := cutFilter(s, volumeFilterKeys)
	if err != nil {
		return err
	}
	f[key] = append(f[key], value)
	return nil
}

// apply returns the volumes that pass.
func (f volumeFilters) apply(all []api.Volume) []api.Volume {
	return slices.DeleteFunc(all, func(v api.Volume) bool {
		dangling := strconv.FormatBool(len(v.Containers) == 0)
		lacks := func(label string) bool { return !hasLabel(v.Labels, label) }
		return slices.ContainsFunc(f["label"], lacks) ||
			!oneOf(f["dangling"], func(value string) bool { return value == dangling }) ||
			!oneOf(f["name"], func(part string) bool { return strings.Contains(v.Name, part) })
	})
}
