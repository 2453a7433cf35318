package usage

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzCgroup reads files of a cgroup that hold anything.
func FuzzCgroup(f *testing.F) {
	f.Add("8:0 rbytes=1 wbytes=2\n", "inactive_file 5\n")
	f.Add("8:0 Read 1\n8:0 Write 2\n", "max")
	f.Add("", "\n\n")
	f.Add("-1", "usage_usec 18446744073709551615\n")
	f.Fuzz(func(t *testing.T, one, other string) {
		dir := t.TempDir()
		for name, text := range map[string]string{
			"io.stat": one, "memory.stat": other, "memory.current": other, "memory.max": one, "cpu.stat": other, "cgroup.procs": one, "pids.current": other,
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := Of([]string{dir}, none).Validate(); err != nil {
			t.Error(err)
		}
	})
}
