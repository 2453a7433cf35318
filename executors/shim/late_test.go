package shim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// TestShimThatComesLate: a create is given up while its shim has not even begun, and the
// shim begins in the midst of the removal. It must not serve what is gone by then.
func TestShimThatComesLate(t *testing.T) {
	runc, err := exec.LookPath("runc")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	slow := filepath.Join(dir, "slow")
	body, err := json.Marshal(map[string]string{"path": slow})
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, nil, executor.RuntimeSettings{Name: "slow", Body: body})
	f.run(first("fills-the-pool"), "", "exit 0")
	var pid int
	wait.Until(t, "a shim is idle", func() bool { pid = f.b.IdleShim(); return pid > 0 })
	script := fmt.Sprintf("#!/bin/sh\ncase \" $* \" in *\" delete \"*) kill -CONT %d; sleep 0.5;; esac\nexec %s \"$@\"\n", pid, runc)
	if err := linux.WriteProgram(slow, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	realtest.Stop(t, pid)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := f.b.Create(ctx, f.workload(first("late"), "slow", "exit 0")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("create: got %v, want the end of its time", err)
	}
	wait.Until(t, "the shim has ended", func() bool { return errors.Is(unix.Kill(pid, 0), unix.ESRCH) })
}
