package nearest

import (
	"slices"
	"testing"
)

func FuzzName(f *testing.F) {
	f.Add("systemd_cgrop", "systemd_cgroup")
	f.Add("", "")
	f.Add("\xff", "é")
	f.Fuzz(func(t *testing.T, written, name string) {
		if len(written)+len(name) > 1000 {
			return
		}
		names := []string{name, "other"}
		if got := Name(written, names); got != "" && !slices.Contains(names, got) {
			t.Errorf("got %q, which is none of %q", got, names)
		}
	})
}
