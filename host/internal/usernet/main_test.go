package usernet

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// ownNetwork says that this process has a network and mounts of its own.
const ownNetwork = "DAVIT_TEST_APART"

// TestMain runs the tests in namespaces of their own, as far as that is allowed.
func TestMain(m *testing.M) {
	if os.Getenv(ownNetwork) == "" && os.Geteuid() == 0 {
		cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
		cmd.Env = append(os.Environ(), ownNetwork+"=1")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
		runtime.LockOSThread() // the death signal is that of the thread
		if cmd.Start() == nil {
			_ = cmd.Wait()
			os.Exit(cmd.ProcessState.ExitCode())
		}
	}
	if os.Getenv(ownNetwork) != "" {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			fmt.Fprintln(os.Stderr, "mounts of its own:", err)
			os.Exit(1)
		}
	}
	if dir := os.Getenv(holdDir); dir != "" {
		holdFor(dir)
	}
	os.Exit(m.Run())
}
