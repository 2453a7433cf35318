package cli

import (
	"fmt"
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
	key, value, ok := strings.Cut(s, "=")
	switch {
	case !ok || !slices.Contains(networkFilterKeys, key):
		return fmt.Errorf("it is not of the form KEY=VALUE with one of the keys %s", strings.Join(networkFilterKeys, ", "))
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

// apply returns the networks that pass. The id of a network is its name.
func (f networkFilters) apply(all []api.Network) []api.Network {
	one := func(key string, has func(value string) bool) bool {
		return len(f[key]) == 0 || slices.ContainsFunc(f[key], has)
	}
	return slices.DeleteFunc(all, func(n api.Network) bool {
		dangling := strconv.FormatBool(len(n.Containers) == 0)
		lacks := func(label string) bool { return !hasLabel(n.Labels, label) }
		return slices.ContainsFunc(f["label"], lacks) ||
			!one("dangling", func(value string) bool { return value == dangling }) ||
			!one("id", func(start string) bool { return strings.HasPrefix(n.Name, start) }) ||
			!one("name", func(part string) bool { return strings.Contains(n.Name, part) })
	})
}
