package oci

import (
	"os"
	"testing"
)

func TestCgroup(t *testing.T) {
	o := Owner{"h", "b"}
	for _, tt := range []struct {
		name, parent string
		systemd      bool
		want         string
	}{
		{"default", "", false, "/davit/" + o.Key() + "/c"},
		{"parent", "/p/q", false, "/p/q/c"},
		{"systemd", "", true, "davit-" + o.Key() + ".slice:davit:c"},
		{"slice", "p.slice", true, "p.slice:davit:c"},
		{"systemd-runtime-under-a-path", "/p", true, "davit-" + o.Key() + ".slice:davit:c"},
		{"plain-runtime-under-a-slice", "p.slice", false, "/davit/" + o.Key() + "/c"},
	} {
		if got := o.Cgroup(tt.parent, "c", tt.systemd); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestRemoveCgroup(t *testing.T) {
	if os.Geteuid() != 0 || len(cgroupMounts()) == 0 {
		t.Skip("needs root and cgroups")
	}
	o := Owner{"remove-cgroup", t.TempDir()}
	mine, other := o.ContainerID("mine"), o.ContainerID("other")
	m := cgroupMounts()[0]
	t.Cleanup(o.RemoveOwnCgroup)
	for _, cid := range []string{mine, other} {
		dir := m.dir(o.Cgroup("", cid, false))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { os.Remove(dir) })
	}
	o.RemoveCgroup("", mine)
	o.RemoveOwnCgroup() // is not empty
	for cid, want := range map[string]bool{mine: false, other: true} {
		if _, err := os.Stat(m.dir(o.Cgroup("", cid, false))); (err == nil) != want {
			t.Errorf("cgroup of %s: got %v, want it to be there: %t", cid, err, want)
		}
	}
}
