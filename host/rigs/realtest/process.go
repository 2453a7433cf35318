package realtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/linux"
)

// WaitGone waits until a process has ended.
func WaitGone(t testing.TB, pid int) {
	t.Helper()
	p, err := linux.OpenProcess(pid, nil)
	if err != nil {
		return // it has
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(t.Context(), wait.Patience)
	defer cancel()
	if p.Wait(ctx) != nil {
		t.Fatalf("process %d does not end", pid)
	}
}

// Parent returns the parent of a process, which for a container's first one is its
// shim.
func Parent(t testing.TB, pid int) int {
	t.Helper()
	s, err := linux.StatOf(pid)
	if err != nil {
		t.Fatal(err)
	}
	return s.Parent
}

// Freeze freezes a process's cgroup, as an administrator may.
func Freeze(t testing.TB, pid int) {
	t.Helper()
	mounts, err := linux.CgroupMounts()
	if err != nil {
		t.Fatal(err)
	}
	paths, err := linux.CgroupsOf(pid)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mounts {
		file, value := filepath.Join(m.Dir(paths["freezer"]), "freezer.state"), "FROZEN"
		if m.Unified {
			file, value = filepath.Join(m.Dir(paths[""]), "cgroup.freeze"), "1"
		} else if !m.Has("freezer") {
			continue
		}
		if err := os.WriteFile(file, []byte(value), 0); err == nil {
			return
		}
	}
	t.Fatal("there is no cgroup that can be frozen")
}

// Stop stops a process as a debugger does, and waits until all its threads have stopped:
// on a loaded machine they run on for a while.
func Stop(t testing.TB, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, fmt.Sprintf("process %d has stopped", pid), func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		for _, stat := range threads {
			text, err := os.ReadFile(stat)
			if _, after, ok := strings.Cut(string(text), ") "); err == nil && ok && !strings.HasPrefix(after, "T") {
				return false
			}
		}
		return true
	})
}
