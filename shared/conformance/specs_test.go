package conformance

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestProgramInShell runs a program that has every action as an executor of
// plain processes would.
func TestProgramInShell(t *testing.T) {
	scratch := t.TempDir()
	args := testProgram.Args(scratch)
	wantProgram(t, exec.Command(args[0], args[1:]...), scratch)
}

// TestOCI runs the same in a container.
func TestOCI(t *testing.T) {
	runc, err := exec.LookPath("runc")
	busybox, err2 := exec.LookPath("busybox")
	if err := errors.Join(err, err2); err != nil || os.Getuid() != 0 {
		t.Skipf("needs root, runc and busybox: %v", err)
	}
	dir, scratch := t.TempDir(), t.TempDir()
	rootfs := filepath.Join(dir, "rootfs")
	if err := os.Mkdir(rootfs, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := BusyboxRootfs(rootfs, busybox); err != nil {
		t.Fatal(err)
	}
	spec, err := OCI(rootfs)(testProgram, scratch)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), spec, 0o600); err != nil {
		t.Fatal(err)
	}
	id := "conformance-" + filepath.Base(filepath.Dir(dir))
	cmd := exec.Command(runc, "--root", filepath.Join(dir, "run"), "run", "--bundle", dir, strings.ToLower(id))
	wantProgram(t, cmd, scratch)
}

var testProgram = Program{
	{Action: Ignore, Signal: syscall.SIGHUP},
	{Action: Trap, Signal: syscall.SIGTERM, N: 9},
	{Action: Print, Stream: "stdout", Text: "out 1"},
	{Action: Print, Stream: "stderr", Text: "err 1"},
	{Action: Count, Stream: "stdout", N: 3},
	{Action: Mark, File: "mark", Text: "x"},
	{Action: Await, File: "mark"},
	{Action: Exit, N: 7},
}

func wantProgram(t *testing.T, cmd *exec.Cmd, scratch string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 7 {
		t.Fatalf("got %v, want code 7; stderr: %s", err, stderr.String())
	}
	if got, want := stdout.String(), "out 1\n1\n2\n3\n"; got != want {
		t.Errorf("stdout: got %q, want %q", got, want)
	}
	if got, want := stderr.String(), "err 1\n"; got != want {
		t.Errorf("stderr: got %q, want %q", got, want)
	}
	if got, err := os.ReadFile(filepath.Join(scratch, "mark")); err != nil || string(got) != "x\n" {
		t.Errorf("mark: got %q, %v", got, err)
	}
}

func TestExecArgs(t *testing.T) {
	got := Program{{Action: Exec, File: "command"}}.Args("/scratch")
	if len(got) != 1 || got[0] != "/scratch/command" {
		t.Errorf("got %q", got)
	}
}
