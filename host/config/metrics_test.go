package config_test

import (
	"strings"
	"testing"

	"github.com/davit-run/davit/host/config"
)

func TestMetricsAddress(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "127.0.0.1:9323": "127.0.0.1:9323", "9323": "127.0.0.1:9323", ":9323": "127.0.0.1:9323", "localhost:80": "127.0.0.1:80",
		"[::1]:9323": "[::1]:9323", "0.0.0.0:9323": "0.0.0.0:9323 public", "[::]:1": "[::]:1 public", "10.0.0.1:65535": "10.0.0.1:65535 public",
	} {
		got, public, err := config.Metrics{Address: text}.Listen()
		if public {
			got += " public"
		}
		if got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestMetricsErrors(t *testing.T) {
	for text, want := range map[string]string{
		`address = "there"`:            `davit.hcl:1,11: metrics.address: "there" is not an address with a port; write such as "127.0.0.1:9323"`,
		`address = "there:80"`:         `davit.hcl:1,11: metrics.address: "there" is not an IP address; write such as "127.0.0.1:9323"`,
		`address = "127.0.0.1:0"`:      `davit.hcl:1,11: metrics.address: "0" is not a port from 1 to 65535; write such as "127.0.0.1:9323"`,
		`address = "127.0.0.1:http"`:   `davit.hcl:1,11: metrics.address: "http" is not a port from 1 to 65535; write such as "127.0.0.1:9323"`,
		`address = "70000"`:            `davit.hcl:1,11: metrics.address: "70000" is not a port from 1 to 65535; write such as "127.0.0.1:9323"`,
		`labels = ["a.b", "a-b"]`:      `davit.hcl:1,11: metrics.labels: the labels "a.b" and "a-b" would both become container_label_a_b; write such as ["team", "env"]`,
		`labels = ["team", "team"]`:    `davit.hcl:1,11: metrics.labels: the label "team" is there twice; write such as ["team", "env"]`,
		`labels = [" "]`:               `davit.hcl:1,11: metrics.labels: a label has no name; write such as ["team", "env"]`,
		`adress = "127.0.0.1:9323"`:    `davit.hcl:1,11: unknown attribute "adress" in metrics; did you mean "address"?`,
		`address = ["127.0.0.1:9323"]`: "must be a string, not a list",
	} {
		_, diags := config.Parse([]byte("metrics { "+text+" }\nbackend \"b\" { executor = \"shim\" }"), "davit.hcl")
		if got := diags.Error(); got != want && !(strings.HasPrefix(want, "must") && strings.Contains(got, want)) {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}
