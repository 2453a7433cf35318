package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/config"
)

// TestConfigPage: the page about the config is what the program says of it.
func TestConfigPage(t *testing.T) {
	const page = "../davit/config.md"
	var want bytes.Buffer
	if err := writePage(&want, config.Reference()); err != nil {
		t.Fatal(err)
	}
	if *updateScaffold {
		if err := os.WriteFile(page, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what is described (%v): run go test ./host/cmd/davit-host -run TestConfigPage -update", page, err)
	}
	s := newSite(t)
	r := s.run("config", "describe")
	for _, line := range []string{"log { }: the host's own log", "  state_dir ", `"/var/lib/davit"`, "backend defaults { }", "(required)"} {
		if !strings.Contains(r.stdout, line) {
			t.Errorf("davit config describe lacks %q:\n%s", line, r.stdout)
		}
	}
	if r := s.run("config", "describe", "--json"); r.code != 0 || !strings.Contains(r.stdout, `"name": "start_timeout"`) {
		t.Errorf("as JSON: %+v", r)
	}
}
