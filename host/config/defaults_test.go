package config_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/config"
)

// TestContainerDefaults checks that a backend's defaults win over the host's, one by one.
func TestContainerDefaults(t *testing.T) {
	c, diags := config.Parse([]byte(`
defaults {
  no_new_privileges = true
  seccomp_profile   = "host.json"
  ulimits           = { nofile = "10:20", core = "0" }
}
backend "a" { executor = "shim" }
backend "b" {
  executor = "shim"
  defaults {
    no_new_privileges = false
    seccomp_profile   = "unconfined"
    ulimits           = { nofile = "-1" }
  }
}
`), "/etc/davit/davit.hcl")
	if len(diags) > 0 {
		t.Fatalf("Parse: %v", diags)
	}
	d := c.WithDefaults()
	for name, want := range map[string]string{
		"a": `{"no_new_privileges":true,"seccomp_profile":"/etc/davit/host.json","ulimits":{"core":"0","nofile":"10:20"}}`,
		"b": `{"no_new_privileges":false,"seccomp_profile":"unconfined","ulimits":{"core":"0","nofile":"-1"}}`,
	} {
		if got := encode(t, d.Backend(name).Defaults); got != want {
			t.Errorf("defaults of %s\n got %s\nwant %s", name, got, want)
		}
	}
	if !reflect.DeepEqual(c.WithDefaults(), d.WithDefaults()) || len(c.Backend("a").Defaults.Ulimits) > 0 {
		t.Error("WithDefaults changes its receiver, or what has its defaults already")
	}
	limits, err := d.Backend("a").Defaults.Limits()
	if got := fmt.Sprint(limits, err); got != "[{RLIMIT_CORE 0 0} {RLIMIT_NOFILE 20 10}] <nil>" {
		t.Errorf("limits are %s", got)
	}
}

func TestContainerDefaultsErrors(t *testing.T) {
	_, diags := config.Parse([]byte(`
defaults {
  ulimits = { nofiles = "1" }
}
backend "a" {
  executor = "shim"
  defaults {
    ulimits         = { nofile = "2:1" }
    seccomp_profile = ""
    colour          = 1
  }
}
`), "davit.hcl")
	got := diags.Err().Error()
	for _, want := range []string{
		`davit.hcl:3,3: defaults.ulimits: limit "nofiles" is not known`,
		`davit.hcl:8,5: defaults.ulimits: limit nofile: the soft limit 2 is above the hard limit 1`,
		`davit.hcl:9,23: "seccomp_profile" is empty`,
		`davit.hcl:10,5: unknown attribute "colour" in backend "a" defaults`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the errors lack %s:\n%s", want, got)
		}
	}
}
