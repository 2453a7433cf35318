package plugin

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

func TestSecondExecutorOnABackendIsRefused(t *testing.T) {
	env := executor.Environment{HostID: "h", Backend: "b", StateDir: t.TempDir()}
	server := func() *harness {
		h := newHarness(t)
		h.server.program = true
		return h
	}
	first, second := server(), server()
	if _, err := first.server.open(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	_, err := second.server.open(t.Context(), env)
	if want := fmt.Sprintf("pid %d) has opened the backend in %s", os.Getpid(), env.StateDir); !errors.Is(err, executor.FailedPrecondition) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want failed precondition and %q", err, want)
	}
	if second.opens != 0 {
		t.Error("the second one was opened")
	}
	if _, err := first.server.open(t.Context(), env); err != nil {
		t.Errorf("the first one again: %v", err)
	}
	if err := first.server.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := second.server.open(t.Context(), env); err != nil {
		t.Errorf("after the first one was closed: %v", err)
	}
	if err := second.server.close(t.Context()); err != nil {
		t.Error(err)
	}
}
