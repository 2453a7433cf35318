package networks

import (
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
)

// TestTraffic sends bytes to a container, over its link and within itself. The first are
// counted, also for one that has joined its network; a restart and another host do not reset
// them.
func TestTraffic(t *testing.T) {
	need(t)
	dir := t.TempDir()
	m, done := open(t, dir)
	if _, err := m.Create(t.Context(), api.NetworkOptions{Name: "web"}); err != nil {
		t.Fatal(err)
	}
	c := m.run(t, "c1", "web")
	traffic := func(c *store.Container) (bytes struct{ Received, Sent uint64 }) {
		t.Helper()
		got, err := m.Traffic(c)
		if err != nil || len(got) != 1 || got[0].Interface != "eth0" || got[0].Network != "web" && c.ID == "c1" {
			t.Fatal(got, err)
		}
		bytes.Received, bytes.Sent = got[0].Received.Bytes, got[0].Sent.Bytes
		return bytes
	}
	port, stop := serve(t, m.Path(c.ID))
	before := traffic(c)
	if _, err := ask(m.Path(c.ID), c.Leases[0].Address, port, long); err != nil {
		t.Fatal(err)
	}
	within := traffic(c)
	if within.Received-before.Received > 1000 { // the kernel says something itself now and then
		t.Errorf("what a container has sent itself is counted: %+v, then %+v", before, within)
	}
	const connections, least = 20, 20 * 4 * 40 // packets with headers of 40 bytes
	for range connections {
		if _, err := ask(here, c.Leases[0].Address, port, long); err != nil {
			t.Fatal(err)
		}
	}
	after := traffic(c)
	if after.Received-within.Received < least || after.Sent-within.Sent < least {
		t.Errorf("%d connections came; got %+v, and %+v before", connections, after, within)
	}
	joined, err := m.join("j1", "c1")
	if err != nil {
		t.Fatal(err)
	}
	done()
	m, _ = open(t, dir)
	for _, of := range []*store.Container{c, joined} {
		if got := traffic(of); got.Received < after.Received || got.Sent < after.Sent {
			t.Errorf("%s, under the next host: got %+v, want at least %+v", of.ID, got, after)
		}
	}
	for _, mode := range []string{"", "host", "none"} {
		if got, err := m.Traffic(&store.Container{ID: "other", Network: mode}); got != nil || err != nil {
			t.Errorf("network %q: got %+v, %v, want none", mode, got, err)
		}
	}
	stop()
	if err := m.remove("j1"); err != nil {
		t.Error(err)
	}
	if err := m.remove("c1"); err != nil {
		t.Error(err)
	}
	if got, err := m.Traffic(c); got != nil || err != nil {
		t.Errorf("of one that is removed: got %+v, %v", got, err)
	}
	m.removeAll(t)
	m.checkNothing(t)
}
