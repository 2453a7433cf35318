package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// nearest gives the name that is closest to what was written, or "" if none is
// close.
func nearest(written string, names []string) string {
	best, least := "", 3 // up to two slips; half of a short name is no slip
	for _, name := range names {
		d := levenshtein.Distance(normalize(written), normalize(name), nil)
		if d < least && d <= len(name)/2 {
			best, least = name, d
		}
	}
	return best
}

// normalize makes names alike that people mistake for one another.
func normalize(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), "-", "_")
}

// suggest gives a hint: the nearest name, or all of them.
func suggest(written string, names []string) string {
	if name := nearest(written, names); name != "" {
		return fmt.Sprintf("did you mean %q?", name)
	}
	if len(names) == 0 {
		return "nothing may be set here"
	}
	return "known here: " + strings.Join(slices.Sorted(slices.Values(names)), ", ")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
