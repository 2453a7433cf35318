package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// cutFilter splits KEY=VALUE of a --filter that has some keys. The value of dangling is true
// or false.
func cutFilter(s string, keys []string) (key, value string, err error) {
	key, value, ok := strings.Cut(s, "=")
	switch {
	case !ok || !slices.Contains(keys, key):
		return "", "", fmt.Errorf("it is not of the form KEY=VALUE with one of the keys %s", strings.Join(keys, ", "))
	case key == "dangling":
		dangling, err := strconv.ParseBool(value)
		if err != nil {
			return "", "", fmt.Errorf("dangling=%s is neither true nor false", value)
		}
		value = strconv.FormatBool(dangling)
	}
	return key, value, nil
}

// oneOf reports whether something has one of the values of a key, if there are any.
func oneOf(values []string, has func(value string) bool) bool {
	return len(values) == 0 || slices.ContainsFunc(values, has)
}
