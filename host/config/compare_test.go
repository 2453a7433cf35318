package config

import (
	"testing"
)

func TestCompare(t *testing.T) {
	const base = `
backend "a" {
  executor = "x"
  config {
    address = "/run/x"
    list    = ["1", "2"]
  }
  runtime "one" { path = "/bin/one" }
  runtime "two" { path = "/bin/two" }
}`
	for _, c := range []struct{ name, text, want string }{
		{"the same in another order", `
# a comment
backend "a" {
  runtime "two" { path = "/bin/two" }
  runtime "one" {
    path = "/bin/one"
    args = null
  }
  config {
    list = ["1", "2"] # as before
    address = "/run/x"
  }
  start_timeout = "300s" # the default
  executor = "x"
}`, ""},
		{"a setting", `backend "a" {
  executor = "x"
  config {
    address = "/run/y"
    list = ["1", "2"]
  }
  runtime "one" { path = "/bin/one" }
  runtime "two" { path = "/bin/two" }
}`, "config"},
		{"order of a list", `backend "a" {
  executor = "x"
  config {
    address = "/run/x"
    list = ["2", "1"]
  }
  runtime "one" { path = "/bin/one" }
  runtime "two" { path = "/bin/two" }
}`, "config"},
		{"everything", `backend "a" {
  executor = "y"
  sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
  user = "nobody"
  start_timeout = "7s"
  default_runtime = "two"
  defaults { network = "host" }
  runtime "two" { path = "/bin/2" }
  runtime "three" { path = "/bin/two" }
}`, `executor, sha256, user, config, runtime "one", runtime "three", runtime "two", default_runtime, start_timeout, defaults`},
	} {
		read := func(text string) *Backend {
			cfg, diags := Parse([]byte(text), "/x.hcl")
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			full := cfg.WithDefaults()
			return &full.Backends[0]
		}
		if got := read(c.text).Compare(read(base)).String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	// A program's values compare with those of a file.
	program := Config{Backends: []Backend{{Name: "a", Executor: "x", Config: map[string]any{"address": "/run/x", "list": []string{"1", "2"}}, Runtimes: []Runtime{
		{Name: "two", Body: map[string]string{"path": "/bin/two"}}, {Name: "one", Body: struct {
			Path string `json:"path"`
		}{"/bin/one"}},
	}}}}.WithDefaults()
	file, _ := Parse([]byte(base), "/x.hcl")
	if d := program.Backends[0].Compare(&file.WithDefaults().Backends[0]); d.Any() {
		t.Errorf("a program's config: got %s, want no difference", d)
	}
	if at := file.Backends[0].At("config", "address"); at.Line != 5 {
		t.Errorf("the address is at %v, want line 5", at)
	}
}
