package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
)

func TestVolumeFilters(t *testing.T) {
	all := []api.Volume{
		{Name: "data", Labels: map[string]string{"app": "web", "tier": "1"}, Containers: []string{"a"}},
		{Name: "database", Labels: map[string]string{"app": "db"}},
		{Name: "other"},
	}
	for args, want := range map[string]string{
		"":                          "data database other",
		"name=data":                 "data database",
		"name=data dangling=1":      "database",
		"dangling=false":            "data",
		"label=app":                 "data database",
		"label=app=web label=tier":  "data",
		"name=other name=database":  "database other",
		"dangling=0 dangling=true":  "data database other",
		"label=app=web label=other": "",
	} {
		f := volumeFilters{}
		for arg := range strings.FieldsSeq(args) {
			if err := f.add(arg); err != nil {
				t.Errorf("%s: %v", arg, err)
			}
		}
		var names []string
		for _, v := range f.apply(slices.Clone(all)) {
			names = append(names, v.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: got %q, want %q", args, got, want)
		}
	}
	for _, arg := range []string{"name", "color=red", "dangling=maybe"} {
		if err := (volumeFilters{}).add(arg); err == nil {
			t.Errorf("%s was accepted", arg)
		}
	}
}
