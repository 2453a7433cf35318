package failpoint

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// arm makes something happen in a process that is a named executor's.
func arm(t *testing.T, name, action string) (dir string) {
	t.Helper()
	program := os.Args[0]
	os.Args[0] = "/bin/davit-executor-hello"
	t.Cleanup(func() { os.Args[0] = program })
	dir = t.TempDir()
	t.Setenv(variable, dir)
	if err := os.WriteFile(filepath.Join(dir, name), []byte(action), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestHitHappensOnce(t *testing.T) {
	arm(t, "some.place", "error")
	if err := Hit("other.place"); err != nil {
		t.Errorf("another place: got %v, want nil", err)
	}
	if err := Hit("some.place"); err == nil {
		t.Error("got nil, want the error")
	}
	if err := Hit("some.place"); err != nil {
		t.Errorf("the second time: got %v, want nil", err)
	}
}

func TestHitIsScoped(t *testing.T) {
	arm(t, "elsewhere+some.place", "error")
	if err := Hit("some.place"); err != nil {
		t.Errorf("out of scope: got %v, want nil", err)
	}
	arm(t, "failpoint+some.place", "error") // this package's directory
	if err := Hit("some.place"); err == nil {
		t.Error("in scope: got nil, want the error")
	}
}

func TestPanicOnTheWayOut(t *testing.T) {
	arm(t, "some.place-done", "panic")
	defer func() {
		if recover() == nil {
			t.Error("got no panic")
		}
	}()
	Leave("some.place")
}

func TestReplyLies(t *testing.T) {
	arm(t, "kit.call.list", "lie []")
	if err := Hit("kit.call.list"); err != nil {
		t.Errorf("a lie is not for Hit: got %v", err)
	}
	if got := string(Lie("list", []byte("true"))); got != "[]" {
		t.Errorf("got %q, want the lie", got)
	}
	if got := string(Lie("list", []byte("true"))); got != "true" {
		t.Errorf("the second time: got %q, want the right reply", got)
	}
}

// A file that cannot be renamed stays, and the place is named for it without its id.
func TestRenameFails(t *testing.T) {
	arm(t, "hello.state.id-json", "error")
	from := filepath.Join(t.TempDir(), "draft")
	to := filepath.Join(filepath.Dir(from), "0123456789abcdef.json")
	if err := os.WriteFile(from, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Rename(from, to); err == nil {
		t.Error("got nil, want the error")
	}
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file: got %v, want it not renamed", err)
	}
	if err := Rename(from, to); err != nil {
		t.Errorf("the second time: got %v", err)
	}
}

func TestPlace(t *testing.T) {
	for _, tt := range []struct{ program, seam, what, want string }{
		{"/usr/bin/davit", "call", "exited", "host.call.exited"},
		{"davit-executor-shim", "call", "create", "kit.call.create"},
		{"davit-executor-shim", "rpc", "Start-start", "shim.rpc.Start-start"},
		{"davit", "state", "davit-executor-wasm-0123456789abcdef", "host.state.program-id"},
		{"davit-monitor", "state", "exit.json", ""},
		{"davit-executor-shim", "commit", "", "shim.commit.nobody"},
	} {
		t.Run(tt.program+" "+tt.seam, func(t *testing.T) {
			arm(t, "none", "")
			os.Args[0] = tt.program
			if got := Place(tt.seam, tt.what); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSurveyNotesWhatIsPassed(t *testing.T) {
	dir := arm(t, surveyed, "")
	if err := Hit("some.place"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "seen.failpoint+some.place")); err != nil {
		t.Error(err)
	}
}
