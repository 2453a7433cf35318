package networks

import (
	"errors"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// TestTraffic counts what one container asks another, from the containers' side.
func TestTraffic(t *testing.T) {
	need(t)
	m, _ := open(t, t.TempDir())
	for _, name := range []string{"web", "db"} {
		if _, err := m.Create(t.Context(), api.NetworkOptions{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	m.run(t, "c", "db")
	c, err := m.connect("c", "web", "")
	if err != nil {
		t.Fatal(err)
	}
	other := m.run(t, "other", "web")
	before, err := m.Traffic("c")
	if err != nil || len(before) != 2 || before[0].Interface != "eth0" || before[0].Network != "db" || before[1].Interface != "eth1" || before[1].Network != "web" {
		t.Fatalf("got %+v, %v", before, err)
	}
	port, stop := serve(t, m.Path("other"))
	defer stop()
	if got, err := ask(m.Path("c"), other.Leases[0].Address, port, long); err != nil || got != c.Leases[1].Address.String() {
		t.Fatalf("got %q, %v", got, err)
	}
	after, err := m.Traffic("c")
	if err != nil {
		t.Fatal(err)
	}
	// A handshake of TCP takes two packets from it, and one to it.
	sent, received := after[1].Sent.Packets-before[1].Sent.Packets, after[1].Received.Packets-before[1].Received.Packets
	if sent < 2 || received < 1 || sent > 100 || received > 100 || after[1].Sent.Bytes == before[1].Sent.Bytes || after[1].Received.Bytes == before[1].Received.Bytes {
		t.Errorf("%d packets were sent and %d received: got %+v after %+v", sent, received, after[1], before[1])
	}
	if _, err := m.join("joined", "c"); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Traffic("joined"); err != nil || len(got) > 0 {
		t.Errorf("one that has the network of another: got %+v, %v", got, err)
	}
	if _, err := m.Traffic("none"); !errors.Is(err, executor.NotFound) {
		t.Errorf("no container: got %v", err)
	}
	stop()
	m.removeAll(t)
	m.checkNothing(t)
}
