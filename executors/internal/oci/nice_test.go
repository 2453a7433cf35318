package oci

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

func TestResetNice(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	pid := cmd.Process.Pid
	nice := func() int {
		n, err := unix.Getpriority(unix.PRIO_PROCESS, pid)
		if err != nil {
			t.Fatal(err)
		}
		return 20 - n // the system call's own numbers
	}
	// Whatever this process has itself, the task has another one than 0.
	if err := unix.Setpriority(unix.PRIO_PROCESS, pid, 7); err != nil {
		t.Fatal(err)
	}
	if got := nice(); got != 7 {
		t.Fatalf("nice value is %d, want 7", got)
	}
	ResetNice(pid)
	if got := nice(); got != 0 {
		t.Errorf("nice value is %d, want 0", got)
	}
}
