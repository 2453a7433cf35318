package oci

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// stray starts a process that nobody but the test can end.
func stray(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd.Process.Pid
}

func TestRemains(t *testing.T) {
	cid := "remains-" + strconv.Itoa(os.Getpid())
	var dirs []string
	for _, m := range cgroupMounts() {
		dir := m.Dir("/davit/" + cid)
		if os.MkdirAll(filepath.Join(dir, "below"), 0o755) == nil {
			dirs = append(dirs, dir)
			t.Cleanup(func() {
				if !RemoveCgroupAt(dir) {
					t.Errorf("%s is still in use", dir)
				}
				_ = unix.Rmdir(filepath.Dir(dir))
			})
		}
	}
	if len(dirs) == 0 {
		t.Skip("cgroups cannot be made here")
	}
	first, second, other := stray(t), stray(t), stray(t)
	for _, dir := range dirs {
		for pid, dir := range map[int]string{first: dir, second: filepath.Join(dir, "below")} {
			// A cpuset of version 1 has to be set up first; others suffice.
			_ = os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
		}
		freezeCgroup(dir, true)
	}
	r := RemainsOf(first, cid)
	if len(r.Cgroups) == 0 || r.PID != first {
		t.Fatalf("got %+v", r)
	}
	if got := RemainsOf(first, "another"); len(got.Cgroups) > 0 {
		t.Errorf("cgroups of another container: got %v", got.Cgroups)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if found, err := r.End(ctx); err != nil || found != 2 {
		t.Errorf("got %d processes, %v; want 2", found, err)
	}
	for pid, want := range map[int]bool{first: false, second: false, other: true} {
		s, err := linux.StatOf(pid)
		if lives := err == nil && s.State != 'Z'; lives != want {
			t.Errorf("process %d lives: got %t, want %t", pid, lives, want)
		}
	}
	if found, err := r.End(ctx); err != nil || found != 0 {
		t.Errorf("again: got %d processes, %v", found, err)
	}
	// Another process with the same pid is spared.
	if found, err := (Remains{PID: other, Start: 1}).End(ctx); err != nil || found != 0 {
		t.Errorf("a pid that was reused: got %d, %v", found, err)
	}
}
