package containerd

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

func TestValidate(t *testing.T) {
	long := "/" + strings.Repeat("x", maxSocketPath)
	for _, tt := range []struct{ name, config, path string }{
		{"empty", ``, ""},
		{"all", `{"address":"/run/containerd/containerd.sock","namespace":"a.b-c","containerd":"/usr/bin/containerd","connect_timeout":"1s","default_shim":"io.containerd.runc.v1","allow_unconfigured_shims":true,"cgroup_parent":"/x","systemd_cgroup":false}`, ""},
		{"slice", `{"cgroup_parent":"x.slice","systemd_cgroup":true}`, ""},
		{"relative-address", `{"address":"containerd.sock"}`, "config.address"},
		{"url-address", `{"address":"unix:///run/x.sock"}`, "config.address"},
		{"long-address", `{"address":"` + long + `"}`, "config.address"},
		{"namespace", `{"namespace":"a/b"}`, "config.namespace"},
		{"empty-namespace", `{"namespace":""}`, "config.namespace"},
		{"relative-containerd", `{"containerd":"bin/containerd"}`, "config.containerd"},
		{"timeout", `{"connect_timeout":"soon"}`, "config.connect_timeout"},
		{"zero-timeout", `{"connect_timeout":"0s"}`, "config.connect_timeout"},
		{"shim", `{"default_shim":"containerd-shim-runc-v2"}`, "config.default_shim"},
		{"slice-without-systemd", `{"cgroup_parent":"x.slice"}`, "config.cgroup_parent"},
		{"path-with-systemd", `{"cgroup_parent":"/x","systemd_cgroup":true}`, "config.cgroup_parent"},
		{"unknown", `{"adress":"/x"}`, "config"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			diags := validate(executor.Settings{Config: json.RawMessage(tt.config)})
			got := ""
			if len(diags) > 0 {
				got = strings.Join(diags[0].Path, ".")
			}
			if got != tt.path || len(diags) > 1 {
				t.Errorf("got %+v, want a finding at %q", diags, tt.path)
			}
		})
	}
}

func TestCgroupFor(t *testing.T) {
	o := owner{"h", "b"}
	for _, tt := range []struct {
		name, parent string
		systemd      bool
		want         string
	}{
		{"default", "", false, "/davit/" + o.key() + "/c"},
		{"parent", "/p/q", false, "/p/q/c"},
		{"systemd", "", true, "davit-" + o.key() + ".slice:davit:c"},
		{"slice", "p.slice", true, "p.slice:davit:c"},
		{"systemd-runtime-under-a-path", "/p", true, "davit-" + o.key() + ".slice:davit:c"},
		{"plain-runtime-under-a-slice", "p.slice", false, "/davit/" + o.key() + "/c"},
	} {
		b := &Backend{owner: o, config: Config{CgroupParent: tt.parent}}
		if got := b.cgroupFor("c", tt.systemd); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestPrepareSpec(t *testing.T) {
	const rest = `"ociVersion":"1.0.2","process":{"args":["x"],"new":1},"root":{"path":"/r"}`
	for _, tt := range []struct{ name, spec, want string }{
		{"no-linux", `{` + rest + `}`, `{"linux":{"cgroupsPath":"/c"},` + rest + `}`},
		{"null-linux", `{` + rest + `,"linux":null}`, `{"linux":{"cgroupsPath":"/c"},` + rest + `}`},
		{"keeps-what-it-does-not-know", `{` + rest + `,"linux":{"new":{"a":1.50}}}`, `{"linux":{"cgroupsPath":"/c","new":{"a":1.50}},` + rest + `}`},
		{"keeps-the-cgroup", `{` + rest + `,"linux":{"cgroupsPath":"/mine"}}`, `{` + rest + `,"linux":{"cgroupsPath":"/mine"}}`},
	} {
		got, err := prepareSpec(json.RawMessage(tt.spec), "/c")
		if err != nil || string(got.json) != tt.want {
			t.Errorf("%s: got %s, %v; want %s", tt.name, got.json, err, tt.want)
		}
	}
	if _, err := prepareSpec(make(json.RawMessage, executor.MaxSpecSize+1), "/c"); executor.CodeOf(err) != executor.Invalid {
		t.Errorf("huge spec: got %v", err)
	}
}
