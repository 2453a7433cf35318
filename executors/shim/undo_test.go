package shim_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// TestFailedStartIsUnmarkedFirst: an executor may be killed while it undoes a failed
// start. The next one must not take that end for the end of the workload, which never
// ran. So the mark of the start is removed first.
func TestFailedStartIsUnmarkedFirst(t *testing.T) {
	dir := t.TempDir()
	runc, undoing, proceed := filepath.Join(dir, "runc"), filepath.Join(dir, "undoing"), filepath.Join(dir, "proceed")
	script := fmt.Sprintf(`#!/bin/sh
case " $* " in
*" start "*) echo "will not start" >&2; exit 1 ;;
*" delete "*) touch %s; while [ ! -e %s ]; do sleep 0.01; done ;;
esac
exec runc "$@"
`, undoing, proceed)
	if err := linux.WriteProgram(runc, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{"shim": "/usr/bin/containerd-shim-runc-v2", "path": runc})
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, nil, executor.RuntimeSettings{Name: "failing", Body: body})
	ref := first("unmarked")
	created := make(chan error, 1)
	go func() {
		_, err := f.b.Create(t.Context(), f.workload(ref, "failing", "exit 0"))
		created <- err
	}()
	wait.Until(t, "the start that fails is undone", func() bool { _, err := os.Stat(undoing); return err == nil })
	if _, err := os.Stat(filepath.Join(f.env.StateDir, "containers", ref.ID, "started.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the mark of the start, while that is undone: got %v, want that it is gone", err)
	}
	if err := os.WriteFile(proceed, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-created; err == nil || errors.Is(err, executor.OutcomeUnknown) {
		t.Errorf("create: got %v, want an error after which nothing is left", err)
	}
}
