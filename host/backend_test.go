package host

import (
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/rigs/wait"
)

// TestBackendEvents follows an executor through its transitions.
func TestBackendEvents(t *testing.T) {
	cfg := testConfig(t)
	h := openHost(t, cfg)
	ready := func() int {
		t.Helper()
		if err := h.WaitBackend(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		return h.backends.All()["a"].Info().PID
	}
	first := ready()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "another is ready", func() bool { return h.backends.All()["a"].Info().Starts == 2 })
	second := ready()
	if info := h.backends.All()["a"].Info(); !strings.Contains(info.LastError, "killed") || info.LastErrorAt.IsZero() {
		t.Errorf("got last error %q of %s, want that it was killed", info.LastError, info.LastErrorAt)
	}
	if err := h.RestartBackend(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	third := ready()
	stopHost(t, h)

	h = openHost(t, cfg)
	defer stopHost(t, h)
	fourth := ready()
	var got []string
	for e, err := range h.Events(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Backend != "a" || e.Type == api.EventBackendWaiting && !strings.Contains(e.Data["error"], "killed") {
			t.Errorf("got %+v", e)
		}
		got = append(got, e.Type+" "+e.Data["pid"])
		if e.Data["pid"] == strconv.Itoa(fourth) { // the journal may be a moment behind
			break
		}
	}
	want := []string{
		api.EventBackendReady + " " + strconv.Itoa(first), api.EventBackendWaiting + " ", api.EventBackendReady + " " + strconv.Itoa(second),
		api.EventBackendReady + " " + strconv.Itoa(third), api.EventBackendStopped + " ", api.EventBackendReady + " " + strconv.Itoa(fourth),
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got events\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
