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
		{"slice-alone", `{"cgroup_parent":"x.slice"}`, ""},
		{"path-alone", `{"cgroup_parent":"/x"}`, ""},
		{"slice-without-systemd", `{"cgroup_parent":"x.slice","systemd_cgroup":false}`, "config.cgroup_parent"},
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
