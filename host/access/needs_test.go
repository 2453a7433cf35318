package access

import (
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
)

// TestNeeds walks the table of routes: each has to say what it needs, and what it knows of its
// requests. What it does not know is refused; that would be an error here, too.
func TestNeeds(t *testing.T) {
	words := append(config.Verbs(), anyone, rootOnly)
	seen := map[string]bool{}
	for _, r := range api.Routes() {
		seen[r.Name] = true
		need, ok := needs[r.Name]
		if !ok {
			t.Errorf("%s (%s %s) does not say in needs.go what callers need whom rules limit; it is for root alone until then", r.Name, r.Method, r.Path)
			continue
		}
		if !slices.Contains(words, need.may) {
			t.Errorf("%s needs %q, which is no word", r.Name, need.may)
		}
		if need.may == rootOnly {
			continue
		}
		all := api.ParametersOf(r.Name)
		for _, name := range all {
			if !slices.Contains(need.knows(), name) && !slices.Contains(strings.Fields(rootParameters), name) {
				t.Errorf("%s: decide in needs.go or create.go whether users may set %q", r.Name, name)
			}
		}
		for _, name := range need.knows() {
			if !slices.Contains(all, name) {
				t.Errorf("%s: no request has %q", r.Name, name)
			}
		}
		if need.container != "" && !slices.Contains(all, need.container) {
			t.Errorf("%s: no request has the container %q", r.Name, need.container)
		}
		// A container must not be missed that is named under another parameter.
		if slices.Contains(all, "ref") && need.container != "ref" && !slices.Contains([]string{"InspectImage", "ImageHistory", "TagImage", "RemoveImage", "CheckImage"}, r.Name) {
			t.Errorf("%s has a reference that is not looked at", r.Name)
		}
	}
	for name := range needs {
		if !seen[name] {
			t.Errorf("there is no route %s", name)
		}
	}
	if got := Needs(); got["Create"] != config.MayRun || got["Reload"] != rootOnly {
		t.Errorf("got %v", got)
	}
}
