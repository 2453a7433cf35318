package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/davit-run/davit/shared/nearest"
)

// suggest returns a hint: the nearest name, or all of them.
func suggest(written string, names []string) string {
	if name := nearest.Name(written, names); name != "" {
		return fmt.Sprintf("did you mean %q?", name)
	}
	if len(names) == 0 {
		return "nothing may be set here"
	}
	return "known here: " + strings.Join(slices.Sorted(slices.Values(names)), ", ")
}
