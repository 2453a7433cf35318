package runtimes

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/shared/linux"
)

// echoer is an OCI binary that prints its arguments to stdout and a word to
// stderr.
func echoer(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "it's an oci binary")
	if err := linux.WriteProgram(path, []byte("#!/bin/sh\nprintf '<%s>' \"$@\"\nprintf err >&2\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWrapper(t *testing.T) {
	dir, path := t.TempDir(), echoer(t)
	for _, tt := range []struct {
		name  string
		args  []string
		merge bool
		run   []string
		want  string // on stdout
	}{
		{"args", []string{"--a b", "it's", "$HOME", `"`}, false, []string{"create", "x"}, `<--a b><it's><$HOME><"><create><x>`},
		{"merge-create", nil, true, []string{"--root", "/r", "create", "x"}, `<--root></r><create><x>err`},
		{"merge-else", nil, true, []string{"--root", "/r", "state", "x"}, `<--root></r><state><x>`},
		{"both", []string{"-v"}, true, []string{"create", "x"}, `<-v><create><x>err`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := Resolved{Shim: ShimRuncV2, Path: path, Args: tt.args}
			script, err := r.Binary(dir, tt.merge)
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(script, tt.run...).Output()
			if err != nil || string(out) != tt.want {
				t.Errorf("got %q, %v; want %q", out, err, tt.want)
			}
			if again, err := r.Binary(dir, tt.merge); again != script || err != nil {
				t.Errorf("second time: got %s, %v; want %s", again, err, script)
			}
		})
	}
}

func TestWrapperIsNotNeeded(t *testing.T) {
	for _, tt := range []struct {
		name  string
		r     Resolved
		merge bool
		want  string
	}{
		{"stock", Resolved{Shim: ShimRuncV2}, false, ""},
		{"path", Resolved{Shim: ShimRuncV2, Path: "/usr/bin/crun"}, false, "/usr/bin/crun"},
		{"shim-without-binary", Resolved{Shim: "io.containerd.kata.v2"}, true, ""},
	} {
		if got, err := tt.r.Binary("/nope", tt.merge); got != tt.want || err != nil {
			t.Errorf("%s: got %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	var scripts []string
	for _, arg := range []string{"a", "b"} {
		s, err := Resolved{Shim: ShimRuncV2, Path: "/bin/true", Args: []string{arg}}.Binary(dir, false)
		if err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, s)
	}
	if err := Sweep(dir, map[string]bool{scripts[1]: true}); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 1 || left[0] != scripts[1] {
		t.Errorf("got %q, %v; want %q alone", left, err, scripts[1])
	}
	if err := Sweep(filepath.Join(dir, "nope"), nil); err != nil {
		t.Errorf("directory that does not exist: %v", err)
	}
}

func TestLookPath(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, search, want, says string }{
		{"sh", "/nope:/bin", "/bin/sh", ""},
		{"/bin/sh", "", "/bin/sh", ""},
		{"plain", dir, "", "plain is not on the PATH"},
		{plain, "", "", "not an executable file"},
		{dir, "", "", "not an executable file"},
		{filepath.Join(dir, "nope"), "", "", "does not exist"},
		{"sh", "bin", "", "not on the PATH"},
	} {
		got, err := LookPath(tt.name, tt.search)
		if got != tt.want || (err == nil) != (tt.says == "") {
			t.Errorf("%s on %q: got %q, %v", tt.name, tt.search, got, err)
		}
	}
}
