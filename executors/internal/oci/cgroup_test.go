package oci

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/wait"
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
		{"systemd", "", true, "system.slice:davit:c"},
		{"slice", "p.slice", true, "p.slice:davit:c"},
		{"systemd-runtime-under-a-path", "/p", true, "system.slice:davit:c"},
		{"plain-runtime-under-a-slice", "p.slice", false, "/davit/" + o.Key() + "/c"},
	} {
		if got := o.Cgroup(tt.parent, "c", tt.systemd); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestRemoveCgroups(t *testing.T) {
	if os.Geteuid() != 0 || len(cgroupMounts()) == 0 {
		t.Skip("needs root and cgroups")
	}
	o := Owner{"remove-cgroup", t.TempDir()}
	mine, other := o.ContainerID("mine"), o.ContainerID("other")
	m := cgroupMounts()[0]
	t.Cleanup(o.Parent().Tidy)
	for _, cid := range []string{mine, other} {
		dir := m.Dir(o.Cgroup("", cid, false))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { os.Remove(dir) })
	}
	o.Remains("", mine).RemoveCgroups()
	o.Parent().Tidy() // is not empty
	for cid, want := range map[string]bool{mine: false, other: true} {
		if _, err := os.Stat(m.Dir(o.Cgroup("", cid, false))); (err == nil) != want {
			t.Errorf("cgroup of %s: got %v, want it to be there: %t", cid, err, want)
		}
	}
}

// TestRemoveCgroupsWaitsForTheDying removes a cgroup while a killed process may still
// be in it.
func TestRemoveCgroupsWaitsForTheDying(t *testing.T) {
	if os.Geteuid() != 0 || len(cgroupMounts()) == 0 {
		t.Skip("needs root and cgroups")
	}
	o := Owner{"remove-cgroup-dying", t.TempDir()}
	dir := cgroupMounts()[0].Dir(o.Cgroup("", o.ContainerID("dying"), false))
	inner := filepath.Join(dir, "inner")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { RemoveCgroupAt(dir); o.Parent().Tidy() })
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	if err := os.WriteFile(filepath.Join(inner, "cgroup.procs"), []byte(strconv.Itoa(cmd.Process.Pid)), 0); err != nil {
		end()
		t.Skip(err)
	}
	if RemoveCgroupAt(dir) {
		t.Error("a cgroup in which something runs: got removed")
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		time.Sleep(20 * time.Millisecond)
		end()
	}()
	if !removeCgroup(dir, time.Now().Add(wait.Patience)) {
		t.Error("a cgroup whose process ends: got left behind")
	}
	<-ended
}
