package oci

import (
	"encoding/json"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

func TestPrepareSpec(t *testing.T) {
	const rest = `"ociVersion":"1.0.2","process":{"args":["x"],"new":1},"root":{"path":"/r"}`
	for _, tt := range []struct{ name, spec, want string }{
		{"no-linux", `{` + rest + `}`, `{"linux":{"cgroupsPath":"/c"},` + rest + `}`},
		{"null-linux", `{` + rest + `,"linux":null}`, `{"linux":{"cgroupsPath":"/c"},` + rest + `}`},
		{"keeps-what-it-does-not-know", `{` + rest + `,"linux":{"new":{"a":1.50}}}`, `{"linux":{"cgroupsPath":"/c","new":{"a":1.50}},` + rest + `}`},
		{"keeps-the-cgroup", `{` + rest + `,"linux":{"cgroupsPath":"/mine"}}`, `{` + rest + `,"linux":{"cgroupsPath":"/mine"}}`},
	} {
		got, err := PrepareSpec(json.RawMessage(tt.spec), "/c")
		if err != nil || string(got.JSON) != tt.want {
			t.Errorf("%s: got %s, %v; want %s", tt.name, got.JSON, err, tt.want)
		}
	}
	if _, err := PrepareSpec(make(json.RawMessage, executor.MaxSpecSize+1), "/c"); executor.CodeOf(err) != executor.Invalid {
		t.Errorf("huge spec: got %v", err)
	}
}
