package supervisor

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// install makes a program, and a directory for copies that others can reach.
func install(t *testing.T, text string) (Binary, *Programs) {
	t.Helper()
	dir, err := os.MkdirTemp("", "dv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "davit-executor-x")
	write(t, path, text)
	programs, err := OpenPrograms(filepath.Join(dir, "programs"))
	if err != nil {
		t.Fatal(err)
	}
	return Binary{Path: path}, programs
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := linux.WriteProgram(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func copies(t *testing.T, p *Programs) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(p.dir, "*"))
	hidden, _ := filepath.Glob(filepath.Join(p.dir, ".*"))
	if err != nil || len(hidden) > 0 {
		t.Fatalf("got %v, %v", hidden, err)
	}
	return names
}

const (
	good = "#!/bin/sh\necho good\n"
	evil = "#!/bin/sh\necho evil\n"
)

// say runs a program and returns what it prints.
func say(t *testing.T, path string, image *os.File) string {
	t.Helper()
	cmd := exec.Command(path)
	if image != nil {
		cmd = exec.Command("/proc/self/fd/3")
		cmd.ExtraFiles = []*os.File{image}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestSwappedBinaryBetweenCheckAndStart(t *testing.T) {
	for _, digest := range []string{"", digestOf(good)} {
		binary, programs := install(t, good)
		binary.SHA256 = digest
		for where, p := range map[string]*Programs{"copy": programs, "memory": nil} {
			write(t, binary.Path, good)
			err := p.use(binary, func(path string, image *os.File) error {
				write(t, binary.Path, evil)
				if got := say(t, path, image); got != "good" {
					t.Errorf("%s, digest %.8s: ran %s", where, digest, got)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
}

func TestSwappedBinaryBeforeTheCheck(t *testing.T) {
	binary, programs := install(t, good)
	binary.SHA256 = digestOf(good)
	run := func(p *Programs) (ran bool, err error) {
		return ran, p.use(binary, func(string, *os.File) error { ran = true; return nil })
	}
	for name, p := range map[string]*Programs{"copy": programs, "memory": nil} {
		write(t, binary.Path, good)
		if ran, err := run(p); !ran || err != nil {
			t.Errorf("%s: the good one: got %t, %v", name, ran, err)
		}
		write(t, binary.Path, evil)
		if ran, err := run(p); ran || err == nil || !strings.Contains(err.Error(), "the config wants "+binary.SHA256) {
			t.Errorf("%s: the evil one: got %t, %v; want it refused", name, ran, err)
		}
		if err := os.Chmod(binary.Path, 0o757); err != nil {
			t.Fatal(err)
		}
		if ran, err := run(p); ran || err == nil || !strings.Contains(err.Error(), "written by everybody") {
			t.Errorf("%s: one of everybody: got %t, %v; want it refused", name, ran, err)
		}
		if err := os.Remove(binary.Path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSwappedCopyIsNotUsed(t *testing.T) {
	binary, programs := install(t, good)
	use := func(p *Programs) string {
		var said string
		if err := p.use(binary, func(path string, image *os.File) error { said = say(t, path, image); return nil }); err != nil {
			t.Fatal(err)
		}
		return said
	}
	use(programs)
	kept := copies(t, programs)
	if len(kept) != 1 {
		t.Fatalf("got copies %v, want one", kept)
	}
	if err := os.Chmod(kept[0], 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, kept[0], evil)
	again, err := OpenPrograms(programs.dir) // as after a restart of the host
	if err != nil {
		t.Fatal(err)
	}
	if got := use(again); got != "good" {
		t.Errorf("ran %s", got)
	}
}

func TestCopiesAreKeptWhileTheyRun(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip(err)
	}
	text, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	binary, programs := install(t, string(text))
	start := func(installed string) *exec.Cmd {
		t.Helper()
		write(t, binary.Path, installed)
		var cmd *exec.Cmd
		if err := programs.use(binary, func(path string, _ *os.File) error {
			cmd = exec.Command(path, "60")
			return cmd.Start()
		}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { end(cmd) })
		return cmd
	}
	sweep := func(want int) {
		t.Helper()
		if err := programs.sweep(); err != nil {
			t.Error(err)
		}
		if got := copies(t, programs); len(got) != want {
			t.Errorf("got copies %v, want %d", got, want)
		}
	}
	first := start(string(text))
	start(string(text)) // runs the same copy
	sweep(1)
	upgraded := start(string(text) + "more") // still a program
	sweep(2)
	end(upgraded)
	sweep(1)
	exe, err := os.Readlink("/proc/" + strconv.Itoa(first.Process.Pid) + "/exe")
	if err != nil || exe != copies(t, programs)[0] {
		t.Errorf("runs %s, %v; want %s", exe, err, copies(t, programs)[0])
	}
}

func TestProgramsWhereNothingCanBeExecuted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	binary, programs := install(t, good)
	if err := unix.Mount("tmpfs", programs.dir, "tmpfs", unix.MS_NOEXEC, "size=1m,mode=711"); err != nil {
		t.Skipf("no tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(programs.dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	programs, err := OpenPrograms(programs.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := programs.use(binary, func(path string, image *os.File) error {
		if got := say(t, path, image); got != "good" {
			t.Errorf("got %q", got)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func end(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}
