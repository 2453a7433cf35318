package host

import (
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
)

// The executor dies while it creates: its caller gets the container all the same,
// from the next one, and it is started once.
func TestCreateOutlivesTheExecutor(t *testing.T) {
	cfg := testConfig(t)
	cfg.Backends[0].Config = map[string]any{"create_delay": "200ms"}
	h := openHost(t, cfg)
	defer stopHost(t, h)

	defer func() { _ = h.WaitBackend(t.Context(), "a") }() // or it cannot be stopped
	for _, after := range []time.Duration{0, 50 * time.Millisecond, 190 * time.Millisecond, 210 * time.Millisecond} {
		if err := h.WaitBackend(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		pid := h.backends.All()["a"].Info().PID
		time.AfterFunc(after, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
		c := mustCreate(t, h, program(t, "print stdout started", "exit 7"))
		wantCode(t, mustWait(t, h, c.ID), 7)
		out := ""
		if err := h.Logs(t.Context(), c.ID, api.LogOptions{}, func(_ api.Stream, data []byte) error {
			out += string(data)
			return nil
		}); err != nil || out != "started\n" {
			t.Errorf("killed after %v: got output %q, %v", after, out, err)
		}
	}
}
