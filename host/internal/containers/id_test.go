package containers

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// TestIDs makes a container, and has one of an older host beside it, whose id is shorter.
func TestIDs(t *testing.T) {
	m := openManager(t, nil)
	const old = "0123456789abcdef"
	if _, unpin, err := m.createAs(t.Context(), old, program(t, "sleep 600")); err != nil {
		t.Fatal(err)
	} else {
		unpin()
	}
	c := mustCreate(t, m, program(t, "sleep 600"))
	if len(c.ID) != executor.MaxIDLength || strings.Trim(c.ID, old) != "" || api.ShortID(c.ID) != c.ID[:12] || api.ShortID(old) != old {
		t.Errorf("the ids are %q, in short %q and %q", c.ID, api.ShortID(c.ID), api.ShortID(old))
	}
	for id, hostname := range map[string]string{c.ID: c.ID[:12], old: old} {
		var spec struct {
			Hostname string `json:"hostname"`
		}
		if err := json.Unmarshal(specText(t, m, id), &spec); err != nil || spec.Hostname != hostname {
			t.Errorf("%s has the host name %q, %v", id, spec.Hostname, err)
		}
		for _, reference := range []string{id, id[:12], id[:5]} {
			if found, err := m.Inspect(reference); err != nil || found.ID != id {
				t.Errorf("%q finds %q, %v", reference, found.ID, err)
			}
		}
		if again, err := m.Restart(t.Context(), id, atOnce()); err != nil || again.Attempt != 2 {
			t.Errorf("restart of %s: %+v, %v", id, again, err)
		}
	}
	// A name goes before the beginning of an id, and a whole id before a name.
	named := program(t, "sleep 600")
	named.Name = old[:4]
	other := mustCreate(t, m, named)
	if found, err := m.Inspect(old[:4]); err != nil || found.ID != other.ID {
		t.Errorf("%q finds %q, %v", old[:4], found.ID, err)
	}
	if err := m.Remove(t.Context(), old, true); err != nil {
		t.Error(err)
	}
}
