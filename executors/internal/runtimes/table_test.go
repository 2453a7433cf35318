package runtimes

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

func block1(name, body string) executor.RuntimeSettings {
	return executor.RuntimeSettings{Name: name, Body: json.RawMessage(body)}
}

func TestDiagnostics(t *testing.T) {
	for _, tt := range []struct {
		name, runtime, body string
		path                string // joined by dots, empty if nothing is wrong
		says                string
	}{
		{"empty", "x", `{}`, "", ""},
		{"path", "x", `{"path":"/usr/bin/crun"}`, "", ""},
		{"bare-name", "x", `{"path":"crun","args":["--debug"]}`, "", ""},
		{"relative-path", "x", `{"path":"bin/crun"}`, "runtime.x.path", "relative path"},
		{"args-alone", "x", `{"args":["a"]}`, "runtime.x.args", "without a path"},
		{"shim-path", "x", `{"shim":"/opt/containerd-shim-kata-v2"}`, "", ""},
		{"shim-relative", "x", `{"shim":"opt/shim"}`, "runtime.x.shim", "neither"},
		{"shim-binary", "x", `{"shim":"containerd-shim-runc-v2"}`, "runtime.x.shim", "name of a binary"},
		{"path-for-other-shim", "x", `{"shim":"io.containerd.kata.v2","path":"/bin/x"}`, "runtime.x.path", "no OCI binary"},
		{"runc-options", "x", `{"options":{"root":"/r","systemd_cgroup":true,"no_pivot_root":true,"io_uid":7}}`, "", ""},
		{"runc-option-for-other-shim", "x", `{"shim":"io.containerd.kata.v2","options":{"no_pivot_root":true}}`, "runtime.x.options.no_pivot_root", "has no option no_pivot_root"},
		{"false-counts-too", "x", `{"shim":"io.containerd.kata.v2","options":{"no_pivot_root":false}}`, "runtime.x.options.no_pivot_root", "has no option"},
		{"generic-option-for-runc", "x", `{"options":{"config_path":"/c"}}`, "runtime.x.options.config_path", "has no option config_path"},
		{"generic", "x", `{"shim":"io.containerd.kata.v2","options":{"type_url":"t","config_path":"/c"}}`, "", ""},
		{"body-that-gvisor-does-not-read", "x", `{"shim":"io.containerd.runsc.v1","options":{"config_body":"nonsense"}}`, "runtime.x.options.config_body", "does not read config_body"},
		{"body-that-kata-does-not-read", "x", `{"shim":"/opt/containerd-shim-kata-v2","options":{"config_body":"nonsense"}}`, "runtime.x.options.config_body", "does not read config_body"},
		{"body", "x", `{"shim":"io.containerd.wasmtime.v1","options":{"config_body":"b"}}`, "", ""},
		{"type-of-nothing", "x", `{"shim":"io.containerd.kata.v2","options":{"type_url":"t"}}`, "runtime.x.options.type_url", "there is none"},
		{"empty-body", "x", `{"shim":"io.containerd.wasmtime.v1","options":{"config_body":""}}`, "runtime.x.options.config_body", "is empty"},
		{"gvisor", "x", `{"shim":"io.containerd.runsc.v1","options":{"config_path":"/c"}}`, "", ""},
		{"two-configs", "x", `{"shim":"io.containerd.kata.v2","options":{"config_path":"/c","config_body":"b"}}`, "runtime.x.options.config_body", "exclude"},
		{"criu-path", "x", `{"options":{"criu_path":"/c"}}`, "runtime.x.options.criu_path", "has no option"},
		{"criu-path-on-the-first-shim", "io.containerd.runtime.v1.linux", `{"options":{"criu_path":"/c"}}`, "", ""},
		{"relative-root", "x", `{"options":{"root":"r"}}`, "runtime.x.options.root", "absolute"},
		{"negative-id", "x", `{"options":{"io_uid":-1}}`, "runtime.x.options.io_uid", "not an id"},
		{"large-id", "x", `{"options":{"io_gid":4294967296}}`, "runtime.x.options.io_gid", "not an id"},
		{"unknown-option", "x", `{"options":{"rooot":"/r"}}`, "runtime.x", "rooot"},
		{"nul-in-args", "x", `{"path":"/bin/x","args":["a\u0000"]}`, "runtime.x.path", "NUL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, diags := New(Defaults{}, []executor.RuntimeSettings{block1(tt.runtime, tt.body)})
			var got, message string
			if len(diags) > 0 {
				got, message = strings.Join(diags[0].Path, "."), diags[0].Message
			}
			if got != tt.path || !strings.Contains(message, tt.says) || len(diags) > 1 {
				t.Errorf("got %+v, want %q at %s", diags, tt.says, tt.path)
			}
		})
	}
}

func TestDuplicateAndDefault(t *testing.T) {
	_, diags := New(Defaults{Runtime: "nope"}, []executor.RuntimeSettings{block1("x", `{}`), block1("x", `{}`)})
	var paths []string
	for _, d := range diags {
		paths = append(paths, strings.Join(d.Path, "."))
	}
	if want := []string{"runtime.x", "default_runtime"}; !slices.Equal(paths, want) {
		t.Errorf("got findings at %q, want %q", paths, want)
	}
}

func TestResolve(t *testing.T) {
	table, diags := New(Defaults{Shim: ShimRuncV1, Root: "/root", SystemdCgroup: true}, []executor.RuntimeSettings{
		block1("crun", `{"path":"crun"}`),
		block1("own-root", `{"options":{"root":"/own","systemd_cgroup":false}}`),
		block1("kata", `{"shim":"io.containerd.kata.v2"}`),
		block1(ShimRuncV2, `{"options":{"no_pivot_root":true}}`),
	})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	for _, tt := range []struct{ name, want string }{
		{"", `{"shim":"io.containerd.runc.v1","options":{"root":"/root","systemd_cgroup":true}}`},
		{"runc", `{"shim":"io.containerd.runc.v1","options":{"root":"/root","systemd_cgroup":true}}`},
		{ShimLinuxV1, `{"shim":"io.containerd.runtime.v1.linux","options":{"root":"/root","systemd_cgroup":true}}`},
		{ShimRuncV2, `{"shim":"io.containerd.runc.v2","options":{"root":"/root","systemd_cgroup":true,"no_pivot_root":true}}`},
		{"crun", `{"shim":"io.containerd.runc.v1","path":"crun","options":{"root":"/root","systemd_cgroup":true}}`},
		{"own-root", `{"shim":"io.containerd.runc.v1","options":{"root":"/own","systemd_cgroup":false}}`},
		{"kata", `{"shim":"io.containerd.kata.v2","options":{}}`},
	} {
		r, err := table.Resolve(tt.name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if string(b) != tt.want {
			t.Errorf("%q: got %s, want %s", tt.name, b, tt.want)
		}
		again, err := Decode(b)
		if b2, _ := again.Encode(); err != nil || string(b2) != string(b) {
			t.Errorf("%q: decoded to %s, %v", tt.name, b2, err)
		}
	}
}

func TestResolveUnknown(t *testing.T) {
	for _, tt := range []struct {
		name  string
		allow bool
		says  string // empty if it resolves
	}{
		{"crunn", false, "did you mean crun?"},
		{"io.containerd.runc.v3", false, "did you mean io.containerd.runc.v2?"},
		{"io.containerd.kata.v2", false, "allow_unconfigured_shims"},
		{"io.containerd.kata.v2", true, ""},
		{"/usr/bin/crun", true, "no runtime"},
		{"../x.v1", true, "no runtime"},
		{"zzzzzzzzzz", true, "known: crun, io.containerd.runc.v1, "},
	} {
		table, _ := New(Defaults{AllowUnconfigured: tt.allow}, []executor.RuntimeSettings{block1("crun", `{"path":"crun"}`)})
		_, err := table.Resolve(tt.name)
		if tt.says == "" {
			if err != nil {
				t.Errorf("%s: got %v", tt.name, err)
			}
			continue
		}
		if executor.CodeOf(err) != executor.NotFound || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.says)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, s := range []string{``, `null`, `{}`, `{"shim":7}`, `[]`} {
		if _, err := Decode(json.RawMessage(s)); executor.CodeOf(err) != executor.Invalid {
			t.Errorf("%q: got %v", s, err)
		}
	}
}
