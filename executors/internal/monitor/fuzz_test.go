package monitor

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzLook looks at a workload's directory in which a file holds anything.
func FuzzLook(f *testing.F) {
	f.Add([]byte(`{"boot":"x","cgroup":{}}`), []byte(`{"at":"2026-01-01T00:00:00Z","workload":{"pid":7}}`), []byte(`{"code":0,"source":"observed"}`))
	f.Add([]byte(`{}`), []byte(nil), []byte(`null`))
	f.Add([]byte(`[]`), []byte(`{"workload":{"pid":-1}}`), []byte(`{`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, job, started, exit []byte) {
		for name, text := range map[string][]byte{jobFile: job, startedFile: started, exitFile: exit} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if s, err := Look(dir); err == nil && s.Phase == Ended && s.Exit == nil && len(exit) == 0 {
			t.Errorf("%q, %q: it has ended without an exit", job, started)
		}
	})
}
