package host

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

func TestSecondHostIsRefused(t *testing.T) {
	cfg := testConfig(t)
	h := openHost(t, cfg)
	c := mustCreate(t, h, program(t, "trap 15 0", "sleep 60"))
	for what, path := range map[string]*string{"state": &cfg.StateDir, "run": &cfg.RunDir} {
		own := *path
		*path = filepath.Join(filepath.Dir(own), "other")
		_, err := Open(t.Context(), cfg, Options{})
		*path = own
		// The other one of the two directories is still the first host's.
		if !errors.Is(err, executor.FailedPrecondition) || !strings.Contains(err.Error(), "pid "+strconv.Itoa(os.Getpid())) {
			t.Errorf("another %s directory: got %v, want failed precondition and the pid", what, err)
		}
	}
	if now, err := h.Inspect(c.ID); err != nil || now.State != api.StateRunning {
		t.Errorf("the first host: got %+v, %v", now, err)
	}
	stopHost(t, h)
	stopHost(t, openHost(t, cfg)) // now there is none
}

// TestParentOfEverybody checks that the host keeps no state where others could put other
// state in its place.
func TestParentOfEverybody(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "p")
	if err := os.Mkdir(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(parent, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"state", "run"} {
		if err := ownDir(filepath.Join(parent, sub)); !errors.Is(err, executor.FailedPrecondition) || !strings.Contains(err.Error(), parent+" can be written by everybody; chmod o-w it") {
			t.Errorf("%s: got %v", sub, err)
		}
	}
	if err := os.Chmod(parent, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if err := ownDir(filepath.Join(parent, "state")); err != nil {
		t.Errorf("as in /tmp: %v", err)
	}
}
