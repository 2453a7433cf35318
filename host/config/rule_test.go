package config_test

import (
	"strings"
	"testing"

	"github.com/davit-run/davit/host/config"
)

// TestRules reads a rule with all that it may have.
func TestRules(t *testing.T) {
	c, diags := config.Parse([]byte(`
api { rules = true }
backend "main" { executor = "shim" }
rule "ci" {
  users        = ["ci", "1001"]
  groups       = ["builders"]
  allow        = ["run", "pull"]
  backends     = ["m*"]
  runtimes     = ["runc"]
  features     = ["host-network"]
  capabilities = ["net_admin"]
  devices      = ["/dev/fuse"]
  binds        = ["/srv/data", "/srv/ro:ro"]
  volumes      = ["ci-*"]
  networks     = ["default"]
}
`), "davit.hcl")
	if len(diags) > 0 || len(c.Rules) != 1 || !c.API.Rules {
		t.Fatalf("got %+v, %v", c.Rules, diags)
	}
	r := &c.Rules[0]
	if r.Name != "ci" || len(r.Users) != 2 || r.Binds[1] != "/srv/ro:ro" || r.At("binds").Line != 13 || r.At().Line != 4 {
		t.Errorf("got %+v at %s", r, r.At("binds"))
	}
	for verb, want := range map[string]bool{"read": true, "run": true, "pull": true, "images": false, "read-others": false, "others": false} {
		if r.Allows(verb) != want {
			t.Errorf("%s: got %t", verb, !want)
		}
	}
	others := config.Rule{Allow: []string{config.MayControlOthers}}
	if !others.Allows(config.MayRead) || !others.Allows(config.MayReadOthers) || others.Allows(config.MayRun) {
		t.Error("others includes to read, and nothing else")
	}
}

// TestRuleErrors: each finding has a place, and says what to do.
func TestRuleErrors(t *testing.T) {
	const head = "api { rules = true }\nstate_dir = \"/srv/state\"\nbackend \"main\" { executor = \"shim\" }\n"
	for name, tt := range map[string]struct{ text, want string }{
		"not in force":       {"backend \"b\" { executor = \"x\" }\nrule \"a\" {\n users = [\"u\"]\n allow = [\"read\"]\n}", "davit.hcl:2,1: there are rules, and the API does not follow them: without rules = true whoever may connect may do everything; write api { rules = true }, or remove the rules"},
		"no name":            {head + "rule {}", `davit.hcl:4,1: a rule has one name, this one has 0; write rule "NAME" { … }`},
		"an attribute":       {head + "rule = {}", `davit.hcl:4,1: "rule" is a block, not an attribute; write rule { … }`},
		"nobody":             {head + "rule \"a\" { allow = [\"read\"] }", `davit.hcl:4,1: rule "a": it is about nobody; add users = ["…"] or groups = ["…"]`},
		"nothing":            {head + "rule \"a\" { users = [\"u\"] }", `davit.hcl:4,1: "allow" in rule "a" is missing; add allow = ["read"]`},
		"an empty list":      {head + "rule \"a\" {\n users = [\"u\"]\n allow = []\n}", `davit.hcl:4,1: rule "a": it allows nothing; add allow = ["run"]`},
		"no backend":         {head + "rule \"a\" {\n users = [\"u\"]\n allow = [\"run\"]\n}", `davit.hcl:4,1: rule "a": it allows to run containers, and on no backend; add backends = ["main"]`},
		"unknown backend":    {head + "rule \"a\" {\n users = [\"u\"]\n allow = [\"run\"]\n backends = [\"mian\"]\n}", `davit.hcl:7,2: rule "a": backend "mian" is not configured; did you mean "main"?`},
		"unknown verb":       {head + "rule \"a\" {\n users = [\"u\"]\n allow = [\"reed\"]\n}", `davit.hcl:6,11: element 1 of "allow" in rule "a" must be one of "read", "run", "pull", "images", "read-others", "others", not "reed"; did you mean "read"?`},
		"unknown attribute":  {head + "rule \"a\" {\n users = [\"u\"]\n allow = [\"read\"]\n bind = [\"/x\"]\n}", `davit.hcl:7,2: unknown attribute "bind" in rule "a"; did you mean "binds"?`},
		"unknown capability": {head + "rule \"a\" {\n users = [\"u\"]\n allow = [\"read\"]\n capabilities = [\"NET_ADMN\"]\n}", `davit.hcl:7,2: rule "a": capability "NET_ADMN" is not known; use a name such as NET_ADMIN, see capabilities(7), or ALL`},
		"relative bind":      {head + "rule \"a\" {\n users = [\"u\"]\n allow = [\"read\"]\n binds = [\"srv\"]\n}", `davit.hcl:7,2: rule "a": bind "srv" is not an absolute path; write PATH or PATH:ro`},
		"the state":          {head + "rule \"a\" {\n users = [\"u\"]\n allow = [\"read\"]\n binds = [\"/srv/x/../state/volumes:ro\"]\n}", `davit.hcl:7,2: rule "a": bind "/srv/x/../state/volumes:ro" is among the host's own files; no rule can allow that; use a volume`},
		"a relative device":  {head + "rule \"a\" {\n users = [\"u\"]\n allow = [\"read\"]\n devices = [\"fuse\"]\n}", `davit.hcl:7,2: rule "a": device "fuse" is not an absolute path; write it from / on`},
		"the host's network": {head + "rule \"a\" {\n users = [\"u\"]\n allow = [\"read\"]\n networks = [\"host\"]\n}", `davit.hcl:7,2: rule "a": the machine's own network is no network of a name; write features = ["host-network"]`},
		"a bad pattern":      {head + "rule \"a\" {\n users = [\"u\"]\n allow = [\"read\"]\n volumes = [\"[\"]\n}", `davit.hcl:7,2: rule "a": volumes: "[" is not a pattern; * stands for any text`},
		"an empty name":      {head + "rule \"a\" {\n users = [\"\"]\n allow = [\"read\"]\n}", `davit.hcl:5,2: rule "a": users has "", which names nothing; remove it`},
		"twice":              {head + strings.Repeat("rule \"a\" {\n users = [\"u\"]\n allow = [\"read\"]\n}\n", 2), `davit.hcl:8,1: rule "a" is already defined; rename one of them`},
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := config.Parse([]byte(tt.text), "davit.hcl")
			if got := diags.Error(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
