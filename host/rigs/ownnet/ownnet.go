// Package ownnet is for tests that change the network: it runs them where that is nobody else's.
package ownnet

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// apart says that this process has a network and mounts of its own.
const apart = "DAVIT_TEST_APART"

// Main runs the tests of a package in network and mount namespaces of their own, as far as that
// is allowed, and exits. It is what TestMain does. In there it calls before, which may make
// another program of the process, and then the tests.
func Main(m *testing.M, before func()) {
	if !Is() && os.Geteuid() == 0 {
		cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
		cmd.Env = append(os.Environ(), apart+"=1")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
		runtime.LockOSThread() // the death signal is that of the thread
		if cmd.Start() == nil {
			_ = cmd.Wait()
			os.Exit(cmd.ProcessState.ExitCode())
		}
	}
	if Is() {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			fmt.Fprintln(os.Stderr, "mounts of its own:", err)
			os.Exit(1)
		}
	}
	before()
	os.Exit(m.Run())
}

// Is reports whether the tests run where Main wants to run them.
func Is() bool { return os.Getenv(apart) != "" }

// Need skips a test that changes the network where it cannot have one of its own, or fails it
// where all tests have to run.
func Need(t testing.TB) {
	t.Helper()
	if Is() {
		return
	}
	complain := t.Skip
	if os.Getenv("DAVIT_REQUIRE_REAL") == "1" {
		complain = t.Fatal
	}
	complain("needs root, and a network namespace of its own")
}
