package specfields

import (
	"encoding/json"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// FuzzSift checks that a spec which passes asks for nothing that is not honoured: what
// is left of it passes again.
func FuzzSift(f *testing.F) {
	filter := Filter{Workload: "a process", Honoured: []string{"process.args", "process.env", "process.cwd", "root.path"}}
	for _, spec := range []string{
		`{"ociVersion":"1.0.2","process":{"args":["a"],"cwd":"/"},"root":{"path":"/"}}`,
		`{"ociVersion":"1.0.2","process":{"args":["a"],"rlimits":[{"type":"RLIMIT_NOFILE","hard":18446744073709551615,"soft":9007199254740993}]}}`,
		`{"ociVersion":"1.0.2","hostname":"a","linux":{"resources":{"memory":{"limit":9007199254740993}}},"process":{"args":["a"]}}`,
		`{"process":null}`, `[]`, `{"mounts":[{"destination":"/proc","type":"proc"}]}`,
	} {
		f.Add([]byte(spec))
	}
	ref := executor.Ref{ID: "a", Attempt: 1}
	f.Fuzz(func(t *testing.T, raw []byte) {
		spec, err := filter.Sift(executor.Workload{Ref: ref, Spec: raw}, []string{Usual})
		if err != nil {
			return
		}
		if len(spec.Process.Args) == 0 || spec.Version == "" {
			t.Errorf("%q was accepted", raw)
		}
		rest, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := filter.Sift(executor.Workload{Ref: ref, Spec: rest}, []string{Usual}); err != nil {
			t.Errorf("%q became %q, and that is refused: %v", raw, rest, err)
		}
	})
}
