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
	"time"

	"github.com/davit-run/davit/host/rigs/wait"
	work "github.com/davit-run/davit/shared/conformance/workload"
)

// TestProgramInShell runs a program that has every action as an executor of
// plain processes would.
func TestProgramInShell(t *testing.T) {
	scratch := t.TempDir()
	args := testProgram.Args(scratch)
	wantProgram(t, exec.Command(args[0], args[1:]...), scratch)
}

// TestMain lets the test binary serve as a program of package workload.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "workload" {
		os.Exit(work.Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// TestProgramInGo runs it with a program of package workload.
func TestProgramInGo(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	scratch := t.TempDir()
	args := testProgram.command([]string{self, "workload"}, scratch)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = []string{"GORACE=atexit_sleep_ms=0"}
	wantProgram(t, cmd, scratch)
	for name, steps := range map[string]string{"unknown": "dance", "no number": "exit x", "too few words": "print"} {
		out, err := exec.Command(self, "workload", steps).CombinedOutput()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 125 || !strings.Contains(string(out), steps) {
			t.Errorf("%s: got %q, %v; want code 125 and the step", name, out, err)
		}
	}
}

func TestTrapInGo(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	scratch := t.TempDir()
	p := Program{{Action: Trap, Signal: syscall.SIGTERM, N: 9}, {Action: Mark, File: "ready", Text: "x"}, {Action: Await, File: "never"}}
	args := p.command([]string{self, "workload"}, scratch)
	cmd := exec.Command(args[0], args[1:]...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "the workload is ready", func() bool {
		_, err := os.Stat(filepath.Join(scratch, "ready"))
		return err == nil
	})
	_ = cmd.Process.Signal(syscall.SIGTERM)
	time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 9 {
		t.Errorf("got %v, want code 9", err)
	}
}

func TestTemplate(t *testing.T) {
	spec, err := Template([]byte(`{"process":{"args":["/m/$SCRATCH"],"env":["D=$SCRATCH/x"]},"mounts":[{"source":"$SCRATCH","destination":"/s"}],"big":9007199254740993}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := spec(Program{{Action: Mark, File: "f", Text: "x"}, {Action: Exit, N: 7}}, "tmp")
	want := `{"big":9007199254740993,"mounts":[{"destination":"/s","source":"tmp"}],"process":{"args":["/m/tmp","mark","/s/f","x",";","exit","7"],"env":["D=tmp/x"]}}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	got, err = spec(Program{{Action: Exec, File: "command"}}, "tmp")
	if err != nil || !strings.Contains(string(got), `"args":["/s/command"]`) {
		t.Errorf("exec: got %s, %v", got, err)
	}
	for text, want := range map[string]string{"[]": "not an OCI spec", `{"process":{}}`: "process.args", `{"process":{"args":"x"}}`: "not an OCI spec"} {
		if _, err := Template([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("template %s: got %v, want %q", text, err, want)
		}
	}
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
	{Action: Copy, Stream: "stdout"},
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
