package oci

import (
	"encoding/json"
	"testing"

	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

func TestPrepareSpec(t *testing.T) {
	const rest = `"ociVersion":"1.0.2","process":{"args":["x"],"new":1},"root":{"path":"/r"}`
	o := Owner{"h", "b"}
	own := "/davit/" + o.Key()
	yes, no := true, false
	const timeout = `"annotations":{"org.systemd.property.TimeoutStopUSec":"uint64 10000000"},`
	scope := `"linux":{"cgroupsPath":"system.slice:davit:c"},`
	for _, tt := range []struct {
		name, spec  string
		systemd     *bool
		want        string
		wantSystemd *bool
	}{
		{"no-linux", `{` + rest + `}`, &no, `{"linux":{"cgroupsPath":"` + own + `/c"},` + rest + `}`, &no},
		{"null-linux", `{` + rest + `,"linux":null}`, &no, `{"linux":{"cgroupsPath":"` + own + `/c"},` + rest + `}`, &no},
		{"keeps-what-it-does-not-know", `{` + rest + `,"linux":{"new":{"a":1.50}}}`, &no, `{"linux":{"cgroupsPath":"` + own + `/c","new":{"a":1.50}},` + rest + `}`, &no},
		{"keeps-the-cgroup", `{` + rest + `,"linux":{"cgroupsPath":"/mine"}}`, &no, `{` + rest + `,"linux":{"cgroupsPath":"/mine"}}`, &no},
		{"a-runtime-without-the-option", `{` + rest + `}`, nil, `{"linux":{"cgroupsPath":"` + own + `/c"},` + rest + `}`, nil},
		{"relative", `{` + rest + `,"linux":{"cgroupsPath":"a/../../b"}}`, &no, `{"linux":{"cgroupsPath":"` + own + `/c/b"},` + rest + `}`, &no},
		{"systemd", `{` + rest + `}`, &yes, `{` + timeout + scope + rest + `}`, &yes},
		{"systemd-with-a-timeout", `{"annotations":{"a":"1","org.systemd.property.TimeoutStopUSec":"uint64 5"},` + rest + `}`, &yes,
			`{"annotations":{"a":"1","org.systemd.property.TimeoutStopUSec":"uint64 5"},` + scope + rest + `}`, &yes},
		{"systemd-and-a-path", `{` + rest + `,"linux":{"cgroupsPath":"/mine"}}`, &yes, `{` + rest + `,"linux":{"cgroupsPath":"/mine"}}`, &no},
		{"systemd-and-a-relative-path", `{` + rest + `,"linux":{"cgroupsPath":"mine"}}`, &yes, `{"linux":{"cgroupsPath":"` + own + `/c/mine"},` + rest + `}`, &no},
		{"systemd-and-a-scope", `{"linux":{"cgroupsPath":"a.slice:b:c"},` + rest + `}`, &yes, `{` + timeout + `"linux":{"cgroupsPath":"a.slice:b:c"},` + rest + `}`, &yes},
	} {
		systemd := tt.systemd
		got, err := PrepareSpec(json.RawMessage(tt.spec), Cgrouping{Owner: o, CID: "c", Systemd: &systemd})
		if err != nil || string(got.JSON) != tt.want {
			t.Errorf("%s: got %s, %v; want %s", tt.name, got.JSON, err, tt.want)
		}
		if (systemd == nil) != (tt.wantSystemd == nil) || systemd != nil && *systemd != *tt.wantSystemd {
			t.Errorf("%s: systemd makes it: got %v, want %v", tt.name, systemd, tt.wantSystemd)
		}
	}
	systemd := &no
	c := Cgrouping{Owner: o, CID: "c", Systemd: &systemd}
	if _, err := PrepareSpec(json.RawMessage(`{`+rest+`,"linux":{"cgroupsPath":"system.slice:a:b"}}`), c); !linux.SystemdRuns() && executor.CodeOf(err) != executor.Invalid {
		t.Errorf("a scope without systemd: got %v", err)
	}
	if _, err := PrepareSpec(make(json.RawMessage, executor.MaxSpecSize+1), c); executor.CodeOf(err) != executor.Invalid {
		t.Errorf("huge spec: got %v", err)
	}
}

func TestPipes(t *testing.T) {
	const rest = `{"ociVersion":"1.0.2","root":{"path":"/r"},"process":{"args":["x"],"user":{"uid":5,"gid":6}}`
	for _, tt := range []struct {
		name, linux string
		want        runtimes.Owner
	}{
		{"plain", `}`, runtimes.Owner{UID: 5, GID: 6}},
		{"mapped", `,"linux":{"uidMappings":[{"hostID":9,"size":2},{"containerID":5,"hostID":100,"size":1}],"gidMappings":[{"containerID":0,"hostID":1000,"size":10}]}}`, runtimes.Owner{UID: 100, GID: 1006}},
		{"not mapped", `,"linux":{"uidMappings":[{"hostID":9,"size":5}]}}`, runtimes.Owner{UID: 5, GID: 6}},
	} {
		var noSystemd *bool
		got, err := PrepareSpec(json.RawMessage(rest+tt.linux), Cgrouping{CID: "c", Systemd: &noSystemd})
		if err != nil || got.Pipes != tt.want {
			t.Errorf("%s: got %+v, %v, want %+v", tt.name, got.Pipes, err, tt.want)
		}
	}
}
