package cli

import (
	"slices"
	"strconv"
	"strings"

	"github.com/davit-run/davit/host/api"
)

// networkFilterKeys are the keys of --filter for networks.
var networkFilterKeys = []string{"dangling", "id", "label", "name"}

// networkFilters are the values of --filter by their keys. A network passes if it has one of
// the values of each key, and all labels.
type networkFilters map[string][]string

func (f networkFilters) add(s string) error {
	key, value, err := cutFilter(s, networkFilterKeys)
	if err != nil {
		return err
	}
	f[key] = append(f[key], value)
	return nil
}

// apply returns the networks that pass. The id of a network is its name.
func (f networkFilters) apply(all []api.Network) []api.Network {
	return slices.DeleteFunc(all, func(n api.Network) bool {
		dangling := strconv.FormatBool(len(n.Containers) == 0)
		lacks := func(label string) bool { return !hasLabel(n.Labels, label) }
		return slices.ContainsFunc(f["label"], lacks) ||
			!oneOf(f["dangling"], func(value string) bool { return value == dangling }) ||
			!oneOf(f["id"], func(start string) bool { return strings.HasPrefix(n.Name, start) }) ||
			!oneOf(f["name"], func(part string) bool { return strings.Contains(n.Name, part) })
	})
}
