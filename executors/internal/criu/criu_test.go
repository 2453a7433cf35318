package criu

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The first error in the log is the reason. Without a log, a missing criu may be.
func TestExplain(t *testing.T) {
	failed := errors.New("runc checkpoint failed: CRIU version check failed")
	with := t.TempDir()
	write(t, filepath.Join(with, "criu"), "")
	if err := os.Chmod(filepath.Join(with, "criu"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, log, path string
		err             error
		want            string
		code            executor.Code
	}{
		{"a log", "(00.000) Warn  (criu/log.c:1): Error is\n(00.003142) Error (criu/vdso.c:657): vdso: Unexpected rt vDSO area bounds\n(00.004) Error (criu/cr-dump.c:1): next\n", with, failed,
			"CRIU cannot checkpoint it: vdso: Unexpected rt vDSO area bounds (criu/vdso.c:657)", executor.FailedPrecondition},
		{"of a process", "(00.003)     17: Error (criu/files.c:1): no\n", with, failed, "CRIU cannot checkpoint it: no (criu/files.c:1)", executor.FailedPrecondition},
		{"no text", "(00.003) Error (criu/files.c:1): \xff\n", with, failed, "CRIU cannot checkpoint it: ? (criu/files.c:1)", executor.FailedPrecondition},
		{"no criu", "", t.TempDir(), failed, "install it", executor.FailedPrecondition},
		{"no criu, and something else", "", t.TempDir(), errors.New("no such container"), "the runtime cannot checkpoint it: no such container", executor.FailedPrecondition},
		{"neither", "(00.001) all is well\n", with, failed, "the runtime cannot checkpoint it: ", executor.FailedPrecondition},
		{"a code", "(00.003) Error (criu/vdso.c:657): vdso\n", with, executor.Errorf(executor.Unavailable, "gone"), "gone", executor.Unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			work := t.TempDir()
			if tt.log != "" {
				write(t, filepath.Join(work, "dump.log"), tt.log)
			}
			err := ExplainDump(tt.err, work, tt.path)
			if executor.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v (%s), want %q (%s)", err, executor.CodeOf(err), tt.want, tt.code)
			}
		})
	}
}

// A draft gets its name when it is complete, also from another process; others do not.
func TestDrafts(t *testing.T) {
	parent := t.TempDir()
	c := executor.Checkpoint{Dir: filepath.Join(parent, "one")}
	refused := executor.Errorf(executor.FailedPrecondition, "it has ended")
	draft := func(log string) Draft {
		t.Helper()
		d, err := Begin(c.Dir)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(d.Images(), "pages"), log)
		write(t, filepath.Join(d.Work(), "dump.log"), log)
		return d
	}
	left := func() (names []string) {
		entries, err := os.ReadDir(parent)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	half := draft("(00.001) Dumping\n")
	if err := Once(c, func() error { return refused }); !errors.Is(err, executor.FailedPrecondition) {
		t.Errorf("half a draft: got %v", err)
	}
	if err := half.Discard(); err != nil || len(left()) > 0 {
		t.Errorf("discarded: got %v, left is %v", err, left())
	}
	draft("(00.001) Dumping\n")
	if err := Once(c, func() error { // an earlier call goes on in the meantime
		draft("(00.002) Dumping finished successfully\n")
		return refused
	}); err != nil {
		t.Errorf("completed in the meantime: got %v", err)
	}
	if got := left(); len(got) != 1 || got[0] != "one" {
		t.Errorf("left is %v", got)
	}
	if text, err := os.ReadFile(filepath.Join(c.Dir, "pages")); err != nil || !strings.Contains(string(text), "successfully") {
		t.Errorf("got %q, %v", text, err)
	}
}
