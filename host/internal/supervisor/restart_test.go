package supervisor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/linux"
)

// A program that is no good replaces nothing.
func TestRestartAsksTheNewProgramFirst(t *testing.T) {
	dir := runDir(t)
	config := testConfig(t, dir, "")
	good := config.Find
	bad := filepath.Join(dir, "bad")
	if err := linux.WriteProgram(bad, []byte("no program\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	program := good
	config.Find = func() (Binary, error) { return program() }
	b := started(config)
	defer b.Stop(t.Context())
	s := session(t, b)
	pid := b.Info().PID

	program = func() (Binary, error) { return Binary{Path: bad}, nil }
	err := b.Restart(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the installed program is no good, and the executor that runs is kept: ") {
		t.Errorf("got %v, want that the old one is kept", err)
	}
	if servedBy(t, s); b.Info().PID != pid || b.Info().Failures != 0 {
		t.Errorf("got %+v, want process %d", b.Info(), pid)
	}
	program = good
	if err := b.Restart(t.Context()); err != nil {
		t.Error(err)
	}
	if b.Info().PID == pid {
		t.Error("it was not replaced")
	}
}

// A restart of a backend that is down does not wait for its next try.
func TestRestartOfAFailedBackend(t *testing.T) {
	dir := runDir(t)
	b := started(testConfig(t, dir, "unopenable"))
	defer b.Stop(t.Context())
	wait.Until(t, "the backend has failed", func() bool { return b.Info().State == Failed })
	if info := b.Info(); !info.NextTry.After(info.LastErrorAt) {
		t.Errorf("got the next try at %s after a failure at %s", info.NextTry, info.LastErrorAt)
	}
	if err := b.Restart(t.Context()); err == nil || !strings.Contains(err.Error(), "the daemon is not there") {
		t.Errorf("got %v, want why it is still down", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mode"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Restart(t.Context()); err != nil {
		t.Errorf("the cause is gone: got %v", err)
	}
	if info := b.Info(); info.State != Ready || !info.NextTry.IsZero() {
		t.Errorf("got %+v, want it ready", info)
	}
}
