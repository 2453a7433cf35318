package runtimes

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// FuzzTable checks that a runtime block without findings can be stored and read again,
// and names programs by absolute paths or bare names.
func FuzzTable(f *testing.F) {
	for _, body := range []string{
		`{"path":"/usr/bin/crun"}`, `{"shim":"io.containerd.runsc.v1","options":{"type_url":"x","config_path":"/x"}}`,
		`{"path":"../crun"}`, `{"args":["--debug"],"path":"crun"}`, `{"shim":"/x/containerd-shim-runc-v2"}`, `{"options":{"root":"a\u0000b"}}`, `[]`,
	} {
		f.Add("crun", []byte(body))
	}
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		table, found := New(Defaults{Shim: ShimRuncV2, Runtime: Runc, Root: "/run/x"}, []executor.RuntimeSettings{{Name: name, Body: body}})
		if len(found) > 0 {
			return
		}
		r, err := table.Resolve(name)
		if err != nil {
			t.Fatalf("%q %q: %v", name, body, err)
		}
		if r.Path != "" && !filepath.IsAbs(r.Path) && filepath.Base(r.Path) != r.Path {
			t.Errorf("%q: the program %q was accepted", body, r.Path)
		}
		encoded, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Decode(encoded); err != nil || again.Shim != r.Shim || again.Path != r.Path {
			t.Errorf("%q: got %+v, %v; want %+v", body, again, err, r)
		}
	})
}

// FuzzVersion reads what a program says of its version.
func FuzzVersion(f *testing.F) {
	for _, text := range []string{"runc version 1.1.15\ncommit: x", "containerd-shim-runc-v2:\n  Version:  2.3.7\n", "", "version 99999999999999999999.1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if r, ok := ParseRelease(findVersion(text)); ok && (r.Major < 0 || r.Minor < 0) {
			t.Errorf("%q: got %+v", text, r)
		}
	})
}

// FuzzResolved decodes what a host has stored.
func FuzzResolved(f *testing.F) {
	f.Add([]byte(`{"shim":"io.containerd.runc.v2","path":"/usr/bin/runc","args":["a"],"options":{"root":"/x","systemd_cgroup":true}}`))
	f.Add([]byte(`{"shim":"a","options":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Decode(body)
		if err != nil {
			return
		}
		if _, err := r.Wire("/bin/x", Owner{}); err != nil && executor.CodeOf(err) == "" {
			t.Error(err)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	})
}
