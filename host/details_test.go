package host

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
)

// TestInspectDetails: Inspect says what a container is run with, and List does not.
func TestInspectDetails(t *testing.T) {
	cfg := testConfig(t)
	h := openHost(t, cfg)
	defer stopHost(t, h)
	opts := program(t, "await never")
	opts.Process.Env, opts.Process.Cwd, opts.Process.User, opts.Process.ReadOnly = []string{"A=1"}, "/tmp", "3:4", true
	opts.Process.MemoryBytes, opts.Process.CPUs, opts.Process.PidsLimit = 64<<20, 1.5, 7
	id := mustCreate(t, h, opts).ID
	c, err := h.Inspect(id)
	if err != nil || c.Details == nil {
		t.Fatalf("Inspect: %+v, %v", c, err)
	}
	d := *c.Details
	if d.Rootfs != opts.Rootfs || !d.ReadOnly || d.User != "3:4" || d.Cwd != "/tmp" || !slices.Contains(d.Env, "A=1") || d.Hostname == "" || len(d.Mounts) < 5 {
		t.Errorf("got %+v", d)
	}
	if d.Limits.MemoryBytes != 64<<20 || d.Limits.CPUs != 1.5 || d.Limits.PidsLimit != 7 {
		t.Errorf("the limits are %+v", d.Limits)
	}
	if want := filepath.Join(cfg.StateDir, "containers", id, "1/stdout"); d.Logs["stdout"] != want || d.Logs["stderr"] == "" {
		t.Errorf("the logs are %v, want %s", d.Logs, want)
	}
	if c.PID > 0 && !strings.HasPrefix(d.Cgroup, "/") {
		t.Errorf("the cgroup of process %d is %q", c.PID, d.Cgroup)
	}
	if all, err := h.List(); err != nil || len(all) != 1 || all[0].Details != nil {
		t.Errorf("List: %+v, %v", all, err)
	}
	if err := h.Kill(t.Context(), id, 9); err != nil {
		t.Error(err)
	}
	mustWait(t, h, id)
	if c, err := h.Inspect(id); err != nil || c.Details.Cgroup != "" || c.Details.Limits == (ocispec.Limits{}) {
		t.Errorf("after the end: %+v, %v", c.Details, err)
	}
}
