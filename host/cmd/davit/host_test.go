package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/gobuild"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/linux"
)

// build makes both programs in a directory.
func build(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := gobuild.Make(dir, "./host/cmd/davit", "./host/cmd/davit-host"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run runs a program without a PATH other than the one given.
func run(path, program string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"PATH=" + path, "DAVIT_HOST=/nowhere.sock"}, &out, &errs
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestOneTool(t *testing.T) {
	dir := build(t)
	davit, davitHost := filepath.Join(dir, "davit"), filepath.Join(dir, hostProgram)

	t.Run("same answers", func(t *testing.T) {
		for _, args := range []string{"", "--help", "help ps", "ps --help", "serve --help", "validate -c /nowhere.hcl", "pss", "srve", "__complete s", "completion bash", "version --format json", "run", "--host /x conformance"} {
			code, stdout, stderr := run("", davit, strings.Fields(args)...)
			wantCode, wantOut, wantErr := run("", davitHost, strings.Fields(args)...)
			if code != wantCode || stdout != wantOut || stderr != wantErr {
				t.Errorf("davit %s: code %d, %s%s\nwant code %d, %s%s", args, code, stdout, stderr, wantCode, wantOut, wantErr)
			}
		}
		if _, help, _ := run("", davit, "--help"); !strings.Contains(help, "\n  serve ") || !strings.Contains(help, "\n  ps ") {
			t.Errorf("the help does not have all commands:\n%s", help)
		}
	})
	t.Run("same process", func(t *testing.T) {
		cmd := exec.Command(davit, "conformance-workload", "sleep", "60")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = cmd.Process.Kill() }()
		exe := fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid)
		wait.Until(t, "the process has become davit-host", func() bool {
			to, _ := os.Readlink(exe)
			return to == davitHost
		})
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
		if !cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
			t.Errorf("the process ended with %v", cmd.ProcessState)
		}
		if code, _, _ := run("", davit, "conformance-workload", "exit", "7"); code != 7 {
			t.Errorf("got exit code %d, want davit-host's 7", code)
		}
	})
	t.Run("apart", func(t *testing.T) {
		alone := filepath.Join(t.TempDir(), "davit")
		if err := os.Link(davit, alone); err != nil {
			t.Fatal(err)
		}
		if code, stdout, stderr := run(dir, alone, "conformance-workload", "print", "stdout", "found"); code != 0 || stdout != "found\n" {
			t.Errorf("with davit-host on the PATH: code %d, %s%s", code, stdout, stderr)
		}
		if _, err := os.Stat(filepath.Join(libexecDir, hostProgram)); err == nil {
			t.Skip("davit-host is installed")
		}
		const want = "davit: command \"serve\": it may be one of davit-host, which is not installed: it is looked for beside davit, in ../libexec/davit from there, on the PATH and in /usr/libexec/davit\n"
		if code, stdout, stderr := run("", alone, "serve"); code != 1 || stdout != "" || stderr != want {
			t.Errorf("serve without davit-host: code %d, %s%s", code, stdout, stderr)
		}
		if code, stdout, _ := run("", alone, "--help"); code != 0 || !strings.Contains(stdout, "\n  ps ") {
			t.Errorf("help without davit-host: code %d, %s", code, stdout)
		}
		broken := filepath.Join(filepath.Dir(alone), hostProgram)
		if err := linux.WriteProgram(broken, []byte("no program"), 0o755); err != nil {
			t.Fatal(err)
		}
		if code, _, stderr := run("", alone, "serve"); code != 1 || !strings.Contains(stderr, broken+" cannot be run: exec format error") {
			t.Errorf("with a davit-host that is no program: code %d, %s", code, stderr)
		}
	})
}

// TestThin checks what davit links: package api and what a command line needs.
func TestThin(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.FieldsSeq(string(out)) {
		for _, heavy := range []string{"bbolt", "grpc", "protobuf", "hashicorp", "cty", "encoding/gob", "net/rpc", "klauspost", "image-spec", "distribution/reference", "host/internal/images", "davit/host/internal/store", "davit/shared/transport"} {
			if strings.Contains(pkg, heavy) {
				t.Errorf("davit links %s", pkg)
			}
		}
	}
}

// BenchmarkStart compares the start of davit with that of a program that does
// nothing. At most 2.5 times as long is wanted.
func BenchmarkStart(b *testing.B) {
	dir := build(b)
	empty := filepath.Join(b.TempDir(), "empty.go")
	if err := os.WriteFile(empty, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "empty"), empty).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for _, args := range []string{"empty", "davit version", "davit-host version"} {
		b.Run(args, func(b *testing.B) {
			words := strings.Fields(args)
			for b.Loop() {
				cmd := exec.Command(filepath.Join(dir, words[0]), words[1:]...)
				if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
					b.Fatal(err)
				}
			}
		})
	}
}
