package access

import (
	"os"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/config"
)

// TestPage: the config on the page is valid, and the page has all words of the rules.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("../cmd/davit/access.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	_, example, _ := strings.Cut(page, "```hcl\n")
	example, _, _ = strings.Cut(example, "```")
	cfg, diags := config.Parse([]byte("backend \"main\" {\n  executor = \"shim\"\n}\n"+example), "access.hcl")
	if len(diags) > 0 || len(cfg.Rules) != 2 {
		t.Errorf("the example has %d rules: %v", len(cfg.Rules), diags)
	}
	for _, verb := range config.Verbs() {
		if !strings.Contains(page, "| `"+verb+"` |") {
			t.Errorf("the page has no %s", verb)
		}
	}
	for _, feature := range config.Features() {
		if !strings.Contains(page, `"`+feature+`"`) {
			t.Errorf("the page has no %q", feature)
		}
	}
}
