package containers

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
)

func TestParseRestartPolicy(t *testing.T) {
	for value, ok := range map[string]bool{
		"": true, "no": true, "always": true, "unless-stopped": true, "on-failure": true, "on-failure:3": true,
		"sometimes": false, "always:3": false, "on-failure:": false, "on-failure:0": false, "on-failure:x": false,
	} {
		if _, err := ParseRestartPolicy(value); (err == nil) != ok {
			t.Errorf("%q: got %v", value, err)
		}
	}
}

// TestRestartBackoff checks when restarts are due, without waiting for them.
func TestRestartBackoff(t *testing.T) {
	synctest.Test(t, testRestartBackoff) // no time passes by itself
}

func testRestartBackoff(t *testing.T) {
	c := &store.Container{Desired: store.WantRunning, Restart: store.RestartPolicy{Name: api.RestartAlways}}
	fail := func(ran time.Duration) time.Duration {
		c.FinishedAt = time.Now()
		c.StartedAt = c.FinishedAt.Add(-ran)
		before := time.Now()
		setRestart(c, true)
		return c.RestartAt.Sub(before)
	}
	for i, want := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
		if got := fail(time.Second); got != want {
			t.Errorf("restart %d: waits %s, want %s", i, got, want)
		}
	}
	for range 30 {
		fail(0)
	}
	if got := fail(0); got != time.Minute {
		t.Errorf("after many: waits %s, want a minute", got)
	}
	if got := fail(10 * time.Second); got != 100*time.Millisecond {
		t.Errorf("after a good run: waits %s, want 100ms", got)
	}
}
