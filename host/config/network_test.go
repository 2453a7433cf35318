package config_test

import (
	"testing"

	"github.com/davit-run/davit/host/config"
)

// TestNetworkBlock reads all that is configured of networks.
func TestNetworkBlock(t *testing.T) {
	c, diags := config.Parse([]byte("network {\n  enabled = false\n  ipv6 = true\n  pool = [\"10.9.0.0/16\"]\n}\nbackend \"a\" { executor = \"shim\" }\n"), "/etc/davit/davit.hcl")
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if got, want := encode(t, c.Network), `{"enabled":false,"ipv6":true,"pool":["10.9.0.0/16"]}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
