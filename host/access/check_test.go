package access

import (
	"strings"
	"testing"

	"github.com/davit-run/davit/host/config"
)

// TestCheck: what a rule says without saying it.
func TestCheck(t *testing.T) {
	cfg := configured(t, config.Rule{
		Users: []string{"nobody-of-this-name", "61001"}, Groups: []string{"none-of-this-name"}, Allow: []string{"run"}, Backends: []string{"*"}, Binds: []string{"/usr", "/usr:ro"},
	})
	cfg.Backends = append(cfg.Backends, config.Backend{Name: "plain", Executor: "process"}, config.Backend{Name: "harmless", Executor: "process", User: "nobody"})
	found := Check(cfg)
	for _, want := range []string{
		"nobody but root and the host's user can connect",
		`there is no user "nobody-of-this-name" on this machine`,
		`there is no group "none-of-this-name" on this machine`,
		`backend "plain" runs processes of this machine as root`,
		`containers of backend "open" have the machine's network unless they ask for another`,
		"/usr is not mounted with nosuid",
	} {
		if strings.Count(found.Error(), want) != 1 {
			t.Errorf("%q is not there once:\n%v", want, found)
		}
	}
	if len(found) != 6 || found.HasErrors() {
		t.Errorf("got %v", found)
	}
	cfg.API.Rules, cfg.Rules = false, nil
	if found := Check(cfg); len(found) > 0 {
		t.Errorf("without rules: got %v", found)
	}
}

// TestCompare says what a reload changes.
func TestCompare(t *testing.T) {
	before := []config.Rule{{Name: "a", Allow: []string{"read"}}, {Name: "b"}, {Name: "c"}}
	after := []config.Rule{{Name: "c"}, {Name: "a", Allow: []string{"run"}, Binds: []string{"/x"}}, {Name: "d"}}
	var got []string
	for _, c := range Compare(before, after) {
		got = append(got, c.String())
	}
	if want := `rule "a": changed (allow, binds)|rule "d": added|rule "b": removed`; strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
}
