package host

import (
	"errors"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// TestClose: a program that defers Close leaves nothing behind if nothing runs, may close
// twice, and is told later that the host is closed.
func TestClose(t *testing.T) {
	h := openHost(t, testConfig(t))
	opts := program(t, "exit 0")
	mustWait(t, h, mustCreate(t, h, opts).ID)
	pid := executorsOf(t, h)["a"]
	for range 2 {
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if lives(pid) {
		t.Errorf("the executor, process %d, lives on, and nothing runs", pid)
	}
	ctx := t.Context()
	for what, call := range map[string]func() error{
		"Create":   func() error { _, err := h.Create(ctx, opts); return err },
		"Run":      func() error { _, err := h.Run(ctx, opts, nil, nil); return err },
		"List":     func() error { _, err := h.List(); return err },
		"Inspect":  func() error { _, err := h.Inspect("x"); return err },
		"Wait":     func() error { _, err := h.Wait(ctx, "x"); return err },
		"Backends": func() error { _, err := h.Backends(); return err },
		"Pull":     func() error { _, err := h.Images(); return err },
		"Volume":   func() error { _, err := h.CreateVolume(ctx, api.VolumeOptions{}); return err },
	} {
		if err := call(); !errors.Is(err, executor.Unavailable) || err.Error() != "the host is closed" {
			t.Errorf("%s after Close: got %v, want that the host is closed", what, err)
		}
	}
}
