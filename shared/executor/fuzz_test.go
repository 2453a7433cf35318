package executor

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzValidateID checks that an id which is accepted is safe as the name of a file, a
// label and a part of a path on each backend.
func FuzzValidateID(f *testing.F) {
	for _, id := range []string{"a", "web-1", "..", "a/b", "-a", "a--b", "A", "\x00", strings.Repeat("a", MaxIDLength+1)} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if ValidateID(id) == nil && (id == "" || len(id) > MaxIDLength || filepath.Base(id) != id || id == ".." || id == "." || strings.ToLower(id) != id || strings.ContainsAny(id, " \t\n\x00:.")) {
			t.Errorf("%q was accepted", id)
		}
	})
}

// FuzzWorkload checks that a workload which is accepted names a process, and files by
// absolute paths.
func FuzzWorkload(f *testing.F) {
	f.Add([]byte(`{"ref":{"id":"a","attempt":1},"spec":{},"stdio":{"stdout":{"kind":"file","path":"/x"},"stderr":{}}}`))
	f.Add([]byte(`{"ref":{"id":"a","attempt":1,"exec":"b"},"spec":{"a":1},"stdio":{"terminal":true}}`))
	f.Add([]byte(`{"ref":{"id":"../a","attempt":0}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var w Workload
		if json.Unmarshal(body, &w) != nil || w.Validate() != nil {
			return
		}
		for _, s := range []Stream{w.Stdio.Stdin, w.Stdio.Stdout, w.Stdio.Stderr} {
			if s.Path != "" && !filepath.IsAbs(s.Path) {
				t.Errorf("%q was accepted", body)
			}
		}
		if w.Ref.ID == "" || w.Ref.Attempt < 1 || len(w.Spec) == 0 {
			t.Errorf("%q was accepted", body)
		}
	})
}
