package config_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/config"
)

// FuzzParse looks for input that panics, that makes settings which are not JSON,
// or that is refused without saying where.
func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	for _, s := range []string{
		"", "a", "a = ", "a {", "\"", "a = <<X\n${", "a = 1e999999999", "a = [-1, --1, {b : null}]", "backend \"a\" \"b\" {}",
		"backend \"x\" {\n executor = \"x\"\n config {\n address = {}\n tls {\n ca = [[]]\n}\n}\n runtime \"r\" {\n args = [\"a\", null]\n}\n}",
		"backend backend {}", "log = null\napi = [api]", "run_dir = \"\\u0000\"", strings.Repeat("a {\n", 40),
		"api {\n rules = true\n}\nrule \"ci\" {\n users = [\"ci\", \"1001\"]\n allow = [\"run\"]\n backends = [\"*\", \"[\"]\n binds = [\"/srv:ro\", \"srv\"]\n features = [\"devices\"]\n capabilities = [\"all\"]\n}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, diags := config.Parse(text, "davit.hcl")
		for _, d := range diags {
			if d.Range.File != "davit.hcl" || d.Message == "" {
				t.Errorf("diagnostic without place or message: %+v", d)
			}
			if strings.ContainsAny(d.String(), "\n\x1b\x00") {
				t.Errorf("diagnostic is not printable: %q", d)
			}
		}
		if err := diags.WriteText(&strings.Builder{}); err != nil {
			t.Error(err)
		}
		for i := range c.Backends {
			settings, diags := c.Backends[i].Decode(description())
			if diags.HasErrors() {
				continue
			}
			if _, err := json.Marshal(settings); err != nil {
				t.Errorf("settings: %v", err)
			}
		}
	})
}
