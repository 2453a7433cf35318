package oci

import (
	"encoding/json"
	"testing"
)

// FuzzPrepareSpec checks that a spec which is accepted keeps what is in it, and has a
// cgroup.
func FuzzPrepareSpec(f *testing.F) {
	for _, spec := range []string{
		`{"ociVersion":"1.0.2","root":{"path":"/r"},"process":{"args":["a"]},"linux":{"cgroupsPath":""},"x":[1]}`,
		`{"ociVersion":"1.0.2","root":{"path":"/r"},"process":{"args":["a"]},"linux":null}`,
		`{"ociVersion":"1.0.2","root":{"path":"/r"},"process":{"args":["a"]},"linux":[]}`, `null`, `{}`,
	} {
		f.Add([]byte(spec))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var systemd *bool
		spec, err := PrepareSpec(raw, Cgrouping{Owner: Owner{Host: "h", Backend: "b"}, CID: "a-x", Systemd: &systemd})
		if err != nil {
			return
		}
		var before, after map[string]json.RawMessage
		var linux struct {
			Linux struct {
				CgroupsPath string `json:"cgroupsPath"`
			} `json:"linux"`
		}
		if json.Unmarshal(raw, &before) != nil || json.Unmarshal(spec.JSON, &after) != nil || json.Unmarshal(spec.JSON, &linux) != nil {
			t.Fatalf("%q became %q", raw, spec.JSON)
		}
		if linux.Linux.CgroupsPath == "" {
			t.Errorf("%q became %q, without a cgroup", raw, spec.JSON)
		}
		for name := range before {
			if _, ok := after[name]; !ok {
				t.Errorf("%q became %q, without %q", raw, spec.JSON, name)
			}
		}
	})
}
