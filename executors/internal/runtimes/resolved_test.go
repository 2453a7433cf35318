package runtimes

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// TestLookPathTrusts checks that no program is run that others can replace.
func TestLookPathTrusts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bin")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "runc")
	if err := linux.WriteProgram(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, "runc"} {
		if got, err := LookPath(name, dir); got != path || err != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, "runc"} {
		if _, err := LookPath(name, dir); !errors.Is(err, executor.FailedPrecondition) || !strings.Contains(err.Error(), dir+" can be written by everybody; chmod o-w it") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
