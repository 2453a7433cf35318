package main

import (
	"strings"
	"testing"
)

// TestValidateRules: the rules are checked with the rest of a config.
func TestValidateRules(t *testing.T) {
	s := newSite(t)
	base := reloadBase + "backend \"a\" { executor = \"memory\" }\napi { rules = true }\nrule \"ci\" {\n  users = [\"nobody-of-this-name\"]\n  allow = [\"run\"]\n"
	s.write(base + "  backends = [\"a\"]\n}\n")
	r := s.run("validate", "-c", s.config)
	if r.code != 0 || !strings.Contains(r.stdout, "is valid") || !strings.Contains(r.stderr, s.config+`:9,3: warning: rule "ci": there is no user "nobody-of-this-name" on this machine`) || !strings.Contains(r.stderr, "nobody but root and the host's user can connect") {
		t.Errorf("got %+v", r)
	}
	s.write(base + "  backends = [\"b\"]\n}\n")
	if r := s.run("validate", "-c", s.config); r.code != 1 || !strings.Contains(r.stderr, s.config+`:11,3: rule "ci": backend "b" is not configured`) {
		t.Errorf("got %+v", r)
	}
	s.write(strings.Replace(base, "api { rules = true }\n", "", 1) + "  backends = [\"a\"]\n}\n")
	if r := s.run("validate", "-c", s.config); r.code != 1 || !strings.Contains(r.stderr, "there are rules, and the API does not follow them") {
		t.Errorf("got %+v", r)
	}
}
