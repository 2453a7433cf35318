package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/shared/executor"
)

// TestHostErrors shows each error in the host's own part of a file.
func TestHostErrors(t *testing.T) {
	const ok = "\nbackend \"b\" { executor = \"shim\" }\n"
	long := strings.Repeat("x", 100)
	for _, tt := range []struct{ name, text, want string }{
		{"unknown attribute", "run_dri = 1" + ok, `davit.hcl:1,1: unknown attribute "run_dri"; did you mean "run_dir"?`},
		{"far from any name", "colour = 1" + ok, `davit.hcl:1,1: unknown attribute "colour"; known here: api, backend, cgroup, debug, default_backend, defaults, executor_dirs, forbid_hooks, log, metrics, network, output, retention, rule, run_dir, state_dir`},
		{"unknown block", "backnd \"x\" {}" + ok, `davit.hcl:1,1: unknown block "backnd"; did you mean "backend"?`},
		{"unknown in a block", "log { levle = \"info\" }" + ok, `davit.hcl:1,7: unknown attribute "levle" in log; did you mean "level"?`},
		{"unknown in a backend", "backend \"b\" {\n  executor = \"x\"\n  sha-256 = \"\"\n}", `davit.hcl:3,3: unknown attribute "sha-256" in backend "b"; did you mean "sha256"?`},
		{"wrong type", "state_dir = 5" + ok, `davit.hcl:1,13: "state_dir" must be a string, not a number; put it in quotes: "5"`},
		{"string for list", "executor_dirs = \"/x\"" + ok, `davit.hcl:1,17: "executor_dirs" must be a list of strings, not a string; put it in brackets: ["/x"]`},
		{"wrong element", "executor_dirs = [\"/x\", null]" + ok, `davit.hcl:1,24: element 2 of "executor_dirs" must be a string, not null`},
		{"block as attribute", "log = {}" + ok, `davit.hcl:1,1: "log" is a block, not an attribute; write log { … }`},
		{"attribute as block", "run_dir {}" + ok, `davit.hcl:1,1: "run_dir" is an attribute, not a block; write run_dir = …`},
		{"label too many", "log \"x\" {}" + ok, `davit.hcl:1,1: block "log" takes no name; write log { … }`},
		{"backend without name", "backend {}" + ok, `davit.hcl:1,1: a backend has one name, this one has 0; write backend "NAME" { … }`},
		{"backend with two names", "backend \"a\" \"b\" {}" + ok, `davit.hcl:1,1: a backend has one name, this one has 2; write backend "NAME" { … }`},
		{"block twice", "log {}\nlog {}" + ok, `davit.hcl:2,1: "log" is already set at davit.hcl:1,1; keep one of them`},
		{"attribute twice", "run_dir = \"/a\"\nrun_dir = \"/b\"" + ok, `davit.hcl:2,1: attribute redefined: The argument "run_dir" was already set at davit.hcl:1,1-8. Each argument may be set only once`},
		{"backend twice", ok + ok, `davit.hcl:4,1: backend "b" is already defined at davit.hcl:2,1; rename one of them`},
		{"runtime twice", "backend \"b\" {\n  executor = \"x\"\n  runtime \"r\" {}\n  runtime \"r\" {}\n}", `davit.hcl:4,3: runtime "r" in backend "b" is already defined at davit.hcl:3,3; rename one of them`},
		{"config twice", "backend \"b\" {\n  executor = \"x\"\n  config {}\n  config {}\n}", `davit.hcl:4,3: "config" in backend "b" is already set at davit.hcl:3,3; keep one of them`},
		{"config as attribute", "backend \"b\" {\n  executor = \"x\"\n  config = {}\n}", `davit.hcl:3,3: "config" in backend "b" is a block, not an attribute; write config { … }`},
		{"runtime without name", "backend \"b\" {\n  executor = \"x\"\n  runtime {}\n}", `davit.hcl:3,3: a runtime has one name, this one has 0; write runtime "NAME" { … }`},
		{"runtime name", "backend \"b\" {\n  executor = \"x\"\n  runtime \"a/b\" {}\n}", `davit.hcl:3,3: runtime name "a/b" in backend "b" is not allowed; use letters, digits, '.', '_' and '-', beginning with a letter or digit`},
		{"runtime name too long", "backend \"b\" {\n  executor = \"x\"\n  runtime \"" + long + "\" {}\n}", `davit.hcl:3,3: runtime name "xxxxxxxxxxxxxxxxxxxx"… in backend "b" has 100 bytes, at most 64 are allowed`},
		{"no executor", "backend \"b\" {}", `davit.hcl:1,1: backend "b" has no executor; add executor = "NAME" of a program davit-executor-NAME`},
		{"executor path", "backend \"b\" { executor = \"../x\" }", `davit.hcl:1,15: executor "../x" of backend "b" is not allowed; give the NAME of a program davit-executor-NAME`},
		{"backend name", "backend \"B_1\" { executor = \"x\" }", `davit.hcl:1,1: backend name "B_1" is not allowed; use lower-case letters, digits and single inner dashes`},
		{"backend name empty", "backend \"\" { executor = \"x\" }", `davit.hcl:1,1: backend name "" is empty; use lower-case letters, digits and single inner dashes`},
		{"backend name too long", "backend \"" + long[:33] + "\" { executor = \"x\" }", `davit.hcl:1,1: backend name "` + long[:33] + `" has 33 bytes, at most 32 are allowed; use lower-case letters, digits and single inner dashes`},
		{"user", "backend \"b\" {\n  executor = \"x\"\n  user = \"a b\"\n}", `davit.hcl:3,3: user "a b" of backend "b" is not of the form USER or USER:GROUP; write a name or a uid, and if need be a group: "davit", "davit:davit" or "990:990"`},
		{"cgroup", "cgroup = \"/a/../b\"" + ok, `davit.hcl:1,1: cgroup "/a/../b" is neither a path below / nor "off"; write the path of a cgroup, such as "/davit", or "off"`},
		{"start timeout", "backend \"b\" {\n  executor = \"x\"\n  start_timeout = \"0s\"\n}", `davit.hcl:3,3: start_timeout "0s" of backend "b" is not a duration above 0; write how long a start may take: "90s", "10m"`},
		{"digest", "backend \"b\" {\n  executor = \"x\"\n  sha256 = \"abc\"\n}", `davit.hcl:3,3: sha256 of backend "b" is not 64 hexadecimal digits; sha256sum prints it`},
		{"default backend", "default_backend = \"bb\"" + ok, `davit.hcl:1,1: default_backend "bb" is not configured; known here: b`},
		{"log level", "log { level = \"inf\" }" + ok, `davit.hcl:1,7: log.level "inf" is not known; did you mean "info"?`},
		{"log format", "log { format = \"xml\" }" + ok, `davit.hcl:1,7: log.format "xml" is not known; known here: json, text`},
		{"empty path", "state_dir = \"\"" + ok, `davit.hcl:1,13: "state_dir" is empty; leave it out for the default`},
		{"zero byte", "state_dir = \"/a\\u0000\"" + ok, `davit.hcl:1,1: state_dir "/a\x00" holds a zero byte`},
		{"same directories", "state_dir = \"/x\"\nrun_dir = \"/x/\"" + ok, `davit.hcl:2,1: state_dir and run_dir are both "/x/"; give each a directory of its own`},
		{"api socket too long", "api { socket = \"/" + long + "/a.sock\" }" + ok, `davit.hcl:1,7: api.socket makes the path of a Unix socket 108 bytes long, at most 107 are possible; choose a shorter path`},
		{"run dir too long", "run_dir = \"/" + long[:72] + "\"" + ok, `davit.hcl:1,1: run_dir makes the path of a Unix socket 111 bytes long, at most 107 are possible; choose a shorter run_dir`},

		{"network with two names", "network \"a\" \"b\" {}" + ok, `davit.hcl:1,1: a network has one name, this one has 2; write network "NAME" { … }`},
		{"network without a list", "network \"a\" {}" + ok, `davit.hcl:1,1: network "a" has no conflist; write conflist = "/etc/cni/net.d/….conflist"`},
		{"network with an empty list", "network \"a\" {\n  conflist = \"\"\n}" + ok, `davit.hcl:2,3: network "a" has no conflist; write conflist = "/etc/cni/net.d/….conflist"`},
		{"network with more", "network \"a\" {\n  conflist = \"/a\"\n  enabled = true\n}" + ok, `davit.hcl:3,3: unknown attribute "enabled" in network "a"; known here: conflist, plugin_dirs`},
		{"network twice", "network \"a\" { conflist = \"/a\" }\nnetwork \"a\" { conflist = \"/b\" }" + ok, `davit.hcl:2,1: network "a" is already defined at davit.hcl:1,1; rename one of them`},
		{"network with a word's name", "network \"host\" { conflist = \"/a\" }" + ok, `davit.hcl:1,1: network name "host" is not allowed: it has a meaning of its own`},
		{"network default", "network \"default\" { conflist = \"/a\" }" + ok, `davit.hcl:1,1: network "default" is one that davit makes itself; rename it, and write network = "NAME" in a block defaults if all containers are to have it`},
		{"plugins with a colon", "network \"a\" {\n  conflist = \"/a\"\n  plugin_dirs = [\"/b:/c\"]\n}" + ok, `davit.hcl:3,3: plugin_dirs "/b:/c" of network "a" is not an absolute path without a colon; write it from / on`},
		{"syntax", "run_dir = \nlog {" + ok, "davit.hcl:1,11: invalid expression: Expected the start of an expression, but found an invalid expression token"},
		{"bare word", "default_backend = b" + ok, `davit.hcl:1,19: b is not a value; a string stands in quotes: "b"`},
		{"bare word in a list", "executor_dirs = [b]" + ok, `davit.hcl:1,18: b is not a value; a string stands in quotes: "b"`},
		{"interpolation", "run_dir = \"/${x}\"" + ok, `davit.hcl:1,13: "${" cannot stand here; write a literal value: there are no variables, functions or operators; in a string, $${ stands for ${`},
		{"function", "run_dir = env(\"X\")" + ok, `davit.hcl:1,14: "(" cannot stand here; write a literal value: there are no variables, functions or operators`},
		{"operator", "run_dir = 1 + 1" + ok, `davit.hcl:1,13: "+" cannot stand here; write a literal value: there are no variables, functions or operators`},
		{"for", "executor_dirs = [for x in [\"a\"] : x]" + ok, `davit.hcl:1,17: this is not a literal value; write a literal value: there are no variables, functions or operators`},
		{"index", "run_dir = [\"/a\"][0]" + ok, `davit.hcl:1,11: this is not a literal value; write a literal value: there are no variables, functions or operators`},
		{"too deep", "run_dir = " + strings.Repeat("[", 60_000), `davit.hcl:1,43: blocks and values nest more than 32 deep`},
		{"signs", "run_dir = " + strings.Repeat("-", 2) + "1" + ok, `davit.hcl:1,11: "-" cannot stand here; write a literal value: there are no variables, functions or operators`},
		{"huge number", "run_dir = 1e999999999" + ok, `davit.hcl:1,11: number 1e999999999 is too large; write it out, without an exponent`},
		{"not text", "\xff\x00", "davit.hcl:1,1: invalid character encoding: All input files must be UTF-8 encoded. Ensure that UTF-8 encoding is selected in your editor\n" +
			"davit.hcl:1,1: argument or block definition required: An argument or block definition is required here\n" +
			"davit.hcl:1,2: invalid character: This character is not used within the language"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, diags := config.Parse([]byte(tt.text), "davit.hcl")
			if got := diags.Error(); got != tt.want {
				t.Errorf("Parse\n got %s\nwant %s", got, tt.want)
			}
			if err := diags.Err(); !errors.Is(err, executor.Invalid) || executor.CodeOf(err) != executor.Invalid {
				t.Errorf("Err is %#v, want an invalid one", err)
			}
		})
	}
}

// TestExecutorErrors shows each error in what an executor declares.
func TestExecutorErrors(t *testing.T) {
	for _, tt := range []struct{ name, config, runtime, want string }{
		{"unknown attribute", "adress = \"x\"", "", "davit.hcl:3,3: \"address\" in config is missing; add address = \"…\"\ndavit.hcl:4,1: unknown attribute \"adress\" in config; did you mean \"address\"?"},
		{"unknown in options", "address = \"x\"", "options {\n  systemd_cgrop = true\n}", `davit.hcl:8,3: unknown attribute "systemd_cgrop" in runtime "crun" options; did you mean "systemd_cgroup"?`},
		{"unknown block", "address = \"x\"\nxyz {}", "", `davit.hcl:5,1: unknown block "xyz" in config; known here: address, labels, mode, novel, retries, timeout, tls`},
		{"letters that changed places", "address = \"x\"\ntsl {}", "", `davit.hcl:5,1: unknown block "tsl" in config; did you mean "tls"?`},
		{"quoted bool", "address = \"x\"", "options {\n  systemd_cgroup = \"true\"\n}", `davit.hcl:8,20: "systemd_cgroup" in runtime "crun" options must be true or false, not a string; remove the quotes: true`},
		{"quoted number", "address = \"x\"\nretries = \"5\"", "", `davit.hcl:5,11: "retries" in config must be a whole number, not a string; remove the quotes: 5`},
		{"fraction", "address = \"x\"\nretries = 1.5", "", `davit.hcl:5,11: "retries" in config must be a whole number of at most 64 bits, not 1.5`},
		{"large number", "address = \"x\"\nretries = 9223372036854775808", "", `davit.hcl:5,11: "retries" in config must be a whole number of at most 64 bits, not 9223372036854775808`},
		{"duration", "address = \"x\"\ntimeout = \"1 min\"", "", `davit.hcl:5,11: "timeout" in config is not a duration: "1 min"; write it like "1m30s" or "250ms"`},
		{"duration as number", "address = \"x\"\ntimeout = 5", "", `davit.hcl:5,11: "timeout" in config must be a duration in quotes, such as "1m30s", not a number`},
		{"enum", "address = \"x\"\nmode = \"shard\"", "", `davit.hcl:5,8: "mode" in config must be one of "own", "shared", not "shard"; did you mean "shared"?`},
		{"unknown type", "address = \"x\"\nnovel = [\"a\"]", "", `davit.hcl:5,9: "novel" in config has type "set(string)" in the executor's schema, which this host does not know; use a host and an executor of the same release`},
		{"map value", "address = \"x\"\nlabels = { a = 1 }", "", `davit.hcl:5,16: "a" of "labels" in config must be a string, not a number; put it in quotes: "1"`},
		{"map key twice", "address = \"x\"\nlabels = {\n  a = \"1\"\n  a = \"2\"\n}", "", `davit.hcl:7,3: key "a" of "labels" in config is already set at davit.hcl:6,3; keep one of them`},
		{"map as block", "address = \"x\"\nlabels {}", "", `davit.hcl:5,1: "labels" in config is an attribute, not a block; write labels = …`},
		{"block as attribute", "address = \"x\"\ntls = {}", "", `davit.hcl:5,1: "tls" in config is a block, not an attribute; write tls { … }`},
		{"block twice", "address = \"x\"\ntls { ca = \"a\" }\ntls { ca = \"b\" }", "", `davit.hcl:6,1: "tls" in config is already set at davit.hcl:5,1; keep one of them`},
		{"required in a block", "address = \"x\"\ntls {}", "", `davit.hcl:5,1: "ca" in config tls is missing; add ca = "…"`},
		{"null for a required one", "address = null", "", `davit.hcl:3,3: "address" in config is missing; add address = "…"`},
		{"label on a block", "address = \"x\"\ntls \"x\" {}", "", `davit.hcl:5,1: block "tls" in config takes no name; write tls { … }`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := "backend \"main\" {\n  executor = \"containerd\"\n  config {\n" + tt.config + "\n}\n  runtime \"crun\" {\n" + tt.runtime + "\n}\n}\n"
			c, diags := config.Parse([]byte(text), "davit.hcl")
			if len(diags) > 0 {
				t.Fatalf("Parse: %v", diags)
			}
			_, diags = c.Backends[0].Decode(description())
			if got := diags.Error(); got != tt.want {
				t.Errorf("Decode\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestNoRuntimes(t *testing.T) {
	c, diags := config.Parse([]byte("backend \"p\" {\n  executor = \"process\"\n  default_runtime = \"r\"\n  runtime \"r\" {}\n}"), "davit.hcl")
	if len(diags) > 0 {
		t.Fatalf("Parse: %v", diags)
	}
	_, diags = c.Backends[0].Decode(executor.Description{Name: "process"})
	want := "davit.hcl:3,3: executor \"process\" has no runtimes, so default_runtime cannot be set; remove it\n" +
		"davit.hcl:4,3: executor \"process\" has no runtimes, so runtime \"r\" cannot be defined; remove it"
	if got := diags.Error(); got != want {
		t.Errorf("Decode\n got %s\nwant %s", got, want)
	}
}

// TestProgramErrors shows errors in the values of a program. They name no place.
func TestProgramErrors(t *testing.T) {
	backend := config.Backend{Name: "b", Executor: "shim"}
	for _, tt := range []struct {
		name string
		c    config.Config
		want string
	}{
		{"nothing", config.Config{}, `no backend is configured; add backend "NAME" { executor = "…" }`},
		{"relative", config.Config{StateDir: "x", ExecutorDirs: []string{"bin"}, Backends: []config.Backend{backend}},
			"state_dir \"x\" is not an absolute path; write it from / on\nexecutor_dirs \"bin\" is not an absolute path; write it from / on"},
		{"twice", config.Config{Backends: []config.Backend{backend, backend}}, `backend "b" is already defined; rename one of them`},
		{"log level", config.Config{Log: config.Log{Level: "loud"}, Backends: []config.Backend{backend}}, `log.level "loud" is not known; known here: debug, error, info, off, trace, warn`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.c.Validate().Error(); got != tt.want {
				t.Errorf("Validate\n got %s\nwant %s", got, tt.want)
			}
		})
	}
	for _, tt := range []struct {
		name   string
		config any
		want   string
	}{
		{"unknown", map[string]any{"address": "x", "retry": 5}, `backend "b": unknown attribute "retry" in config; known here: address, labels, mode, novel, retries, timeout, tls`},
		{"type", map[string]any{"address": 5}, `backend "b": "address" in config must be a string, not a number; put it in quotes: "5"`},
		{"block", map[string]any{"address": "x", "tls": "y"}, `backend "b": "tls" in config must be an object, not a string`},
		{"missing", nil, `backend "b": "address" in config is missing; add address = "…"`},
		{"no object", []int{1}, "backend \"b\": config must encode to a JSON object, not a list"},
		{"not JSON", func() {}, "backend \"b\": config cannot be encoded as JSON: json: unsupported type: func()"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := backend
			b.Config = tt.config
			_, diags := b.Decode(description())
			if got, _, _ := strings.Cut(diags.Error(), "\n"); got != tt.want {
				t.Errorf("Decode\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	c, diags := config.Parse([]byte(full), "davit.hcl")
	if len(diags) > 0 {
		t.Fatalf("Parse: %v", diags)
	}
	program := config.Backend{Name: "main", Runtimes: []config.Runtime{{Name: "crun"}}}
	for _, tt := range []struct {
		path          []string
		file, program string
	}{
		{nil, "davit.hcl:14,1: m", `backend "main": m`},
		{[]string{"config"}, "davit.hcl:17,3: m", `backend "main": config: m`},
		{[]string{"config", "address"}, "davit.hcl:18,5: m", `backend "main": config.address: m`},
		{[]string{"config", "labels", "b c"}, "davit.hcl:21,26: m", `backend "main": config.labels.b c: m`},
		{[]string{"config", "tls", "ca"}, "davit.hcl:23,7: m", `backend "main": config.tls.ca: m`},
		{[]string{"config", "tls", "cert"}, "davit.hcl:22,5: config.tls.cert: m", `backend "main": config.tls.cert: m`},
		{[]string{"default_runtime"}, "davit.hcl:28,3: m", `backend "main": default_runtime: m`},
		{[]string{"runtime", "crun"}, "davit.hcl:29,3: m", `backend "main": runtime.crun: m`},
		{[]string{"runtime", "crun", "args", "0"}, "davit.hcl:32,13: m", `backend "main": runtime.crun.args.0: m`},
		{[]string{"runtime", "crun", "args", "9"}, "davit.hcl:32,5: runtime.crun.args.9: m", `backend "main": runtime.crun.args.9: m`},
		{[]string{"runtime", "crun", "options", "systemd_cgroup", "x"}, "davit.hcl:34,7: runtime.crun.options.systemd_cgroup.x: m", `backend "main": runtime.crun.options.systemd_cgroup.x: m`},
		{[]string{"runtime", "runsc", "path"}, "davit.hcl:14,1: runtime.runsc.path: m", `backend "main": runtime.runsc.path: m`},
		{[]string{"runtime"}, "davit.hcl:14,1: runtime: m", `backend "main": runtime: m`},
		{[]string{"what\never"}, "davit.hcl:14,1: what ever: m", `backend "main": what ever: m`},
	} {
		t.Run(strings.Join(tt.path, "."), func(t *testing.T) {
			found := []executor.Diagnostic{{Severity: executor.SeverityWarning, Path: tt.path, Message: "m"}}
			for b, want := range map[*config.Backend]string{c.Backend("main"): tt.file, &program: tt.program} {
				diags := b.Resolve(found)
				if got := strings.Replace(diags.Error(), "warning: ", "", 1); got != want {
					t.Errorf("Resolve\n got %s\nwant %s", got, want)
				}
				if diags.Err() != nil {
					t.Error("a warning is taken for an error")
				}
			}
		})
	}
}

func TestWriteText(t *testing.T) {
	_, diags := config.Parse([]byte("\trun_dri = [\n  1]\nbackend \"b\" { executor = \"x\\u001b\" }\nlog { level = \"x\" }"), "davit.hcl")
	var b strings.Builder
	if err := diags.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	want := `davit.hcl:1,2: unknown attribute "run_dri"
  1 |  run_dri = [
    |  ^^^^^^^
  did you mean "run_dir"?
davit.hcl:3,15: executor "x\x1b" of backend "b" is not allowed
  3 | backend "b" { executor = "x\u001b" }
    |               ^^^^^^^^
  give the NAME of a program davit-executor-NAME
davit.hcl:4,7: log.level "x" is not known
  4 | log { level = "x" }
    |       ^^^^^
  known here: debug, error, info, off, trace, warn
`
	if b.String() != want {
		t.Errorf("text\n got %s\nwant %s", b.String(), want)
	}
}
