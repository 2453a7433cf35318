package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// TestStraysOfALostHost takes the whole state directory away while containers run.
func TestStraysOfALostHost(t *testing.T) {
	cfg := testConfig(t)
	first := openHost(t, cfg)
	kept := mustCreate(t, first, program(t, "trap 15 7 ; sleep 600"))
	removed := mustCreate(t, first, program(t, "sleep 600"))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(cfg.StateDir); err != nil {
		t.Fatal(err)
	}
	second := openHost(t, cfg)
	defer stopHost(t, second)
	if err := second.WaitBackend(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	strays, err := second.Strays(t.Context())
	if err != nil || len(strays) != 2 {
		t.Fatalf("got strays %+v, %v; want two", strays, err)
	}
	for _, s := range strays {
		if s.Kind != api.StrayContainer || s.State != api.StateRunning || s.PID == 0 || s.Backend != "a" || s.What == "" {
			t.Errorf("got %+v", s)
		}
	}
	if all, _ := second.List(); len(all) != 0 {
		t.Errorf("got containers %+v of a host that is lost", all)
	}
	c, err := second.AdoptStray(t.Context(), kept.ID[:8])
	if err != nil || c.State != api.StateRunning || c.PID != kept.PID {
		t.Fatalf("got %+v, %v; want it to run on as process %d", c, err, kept.PID)
	}
	if err := second.RemoveStray(t.Context(), removed.ID); err != nil {
		t.Fatal(err)
	}
	gone := func(pid int) func() bool {
		return func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
	}
	wait.Until(t, "the removed one has ended", gone(removed.PID))
	if err := second.Stop(t.Context(), kept.ID, 0); err != nil {
		t.Fatal(err)
	}
	wantCode(t, mustWait(t, second, kept.ID), 7)
	// It says how it ends before it does, and keeps the cgroup of the host that is lost.
	wait.Until(t, "the adopted one has ended", gone(kept.PID))
	if _, err := second.AdoptStray(t.Context(), removed.ID); !errors.Is(err, executor.NotFound) {
		t.Errorf("adopting one that is not there: %v", err)
	}
	if strays, err := second.Strays(t.Context()); err != nil || len(strays) != 0 {
		t.Errorf("afterwards there are strays: %+v, %v", strays, err)
	}
}

// TestStrayDirectories takes the record of a container that has ended away, and what its
// backend has of it.
func TestStrayDirectories(t *testing.T) {
	cfg := testConfig(t)
	first := openHost(t, cfg)
	opts := program(t, "print stdout hello")
	opts.Name = "web"
	withCopy := mustCreate(t, first, opts)
	bare := mustCreate(t, first, program(t, "print stdout hello"))
	for _, c := range []api.Container{withCopy, bare} {
		mustWait(t, first, c.ID)
		dir := filepath.Join(cfg.StateDir, "containers", c.ID)
		aside := filepath.Join(filepath.Dir(cfg.StateDir), c.ID)
		if err := os.Rename(dir, aside); err != nil {
			t.Fatal(err)
		}
		if err := first.Remove(t.Context(), c.ID, false); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(aside, dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(cfg.StateDir, "containers", bare.ID, "record.json")); err != nil {
		t.Fatal(err)
	}
	defer stopHost(t, first)
	strays, err := first.Strays(t.Context())
	if err != nil || len(strays) != 2 || strays[0].Kind != api.StrayDirectory || strays[1].Kind != api.StrayDirectory {
		t.Fatalf("got strays %+v, %v; want two directories", strays, err)
	}
	if _, err := first.AdoptStray(t.Context(), bare.ID); !errors.Is(err, executor.FailedPrecondition) || !strings.Contains(err.Error(), "davit rm --stray "+bare.ID) {
		t.Errorf("adopting a directory without a record: %v", err)
	}
	c, err := first.AdoptStray(t.Context(), "web")
	if err != nil || c.ID != withCopy.ID || c.State != api.StateExited || c.Exit == nil || c.Exit.Source != executor.Lost {
		t.Errorf("got %+v, %v; want it to have ended", c, err)
	}
	if _, err := first.Start(t.Context(), "web"); err != nil {
		t.Errorf("starting it again: %v", err)
	}
	wantCode(t, mustWait(t, first, "web"), 0)
	if err := first.RemoveStray(t.Context(), bare.ID); err != nil {
		t.Error(err)
	}
	if strays, err := first.Strays(t.Context()); err != nil || len(strays) != 0 {
		t.Errorf("afterwards there are strays: %+v, %v", strays, err)
	}
}
