package realtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// Command is a command that cannot be executed, and how its start is to fail: on every
// executor alike.
type Command struct {
	Name string
	Args []string
	Code executor.Code
	Says string
}

// Commands makes programs in a root file system that cannot be executed.
func Commands(t testing.TB, rootfs string) []Command {
	t.Helper()
	for name, f := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"bad-shebang": {"#!/bin/nope\necho hello\n", 0o755},
		"no-shebang":  {"echo hello\n", 0o755},
		"plain":       {"\x7fELF", 0o644},
	} {
		path := filepath.Join(rootfs, "bin", name)
		if err := os.WriteFile(path, []byte(f.text), f.mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("loop", filepath.Join(rootfs, "bin/loop")); err != nil {
		t.Fatal(err)
	}
	const notFound, denied = executor.CommandNotFound, executor.CommandNotExecutable
	return []Command{
		{"missing", []string{"/bin/nope"}, notFound, "/bin/nope"},
		{"not-on-path", []string{"nope"}, notFound, "nope"},
		{"a-disk-by-name", []string{"/no space left on device"}, notFound, "/no space left on device: no such file"},
		{"already-exists-by-name", []string{"/x already exists"}, notFound, "/x already exists: no such file"},
		{"below-a-file", []string{"/bin/sh/x"}, notFound, "/bin/sh/x"},
		{"bad-shebang", []string{"bad-shebang"}, notFound, "/bin/nope"},
		{"no-shebang", []string{"no-shebang"}, denied, "exec format error"},
		{"not-executable", []string{"/bin/plain"}, denied, "/bin/plain"},
		{"directory", []string{"/etc"}, denied, "/etc"},
		{"link-loop", []string{"/bin/loop"}, denied, "too many levels of symbolic links"},
		{"too-long", []string{"/bin/true", strings.Repeat("x", 200<<10)}, denied, "argument list too long"},
		{"nul", []string{"/bin/true", "a\x00b"}, executor.Invalid, "NUL"},
	}
}
