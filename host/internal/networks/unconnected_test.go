package networks

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/publish"
	"golang.org/x/sys/unix"
)

// TestUnconnected disconnects a container from its last network, and connects it again.
func TestUnconnected(t *testing.T) {
	need(t)
	dir := t.TempDir()
	p, done := openPublisher(t, dir)
	lan := newLAN(t)
	p.run(t, "web", "default")
	inner, stop := serve(t, p.Path("web"))
	c := p.publish("web", publish.Port{ContainerPort: uint16(inner)})
	port := c.Ports[0].HostPort
	asks(t, lan.path, lanHere, port, lan.address.String())
	alone := func(when string) {
		t.Helper()
		s, err := enter("web", p.Path("web"))
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		defer s.close()
		if links, err := s.LinkList(); len(links) != 1 || err != nil {
			t.Errorf("%s: got %d links, %v", when, len(links), err)
		}
		if c, err := p.container("web"); err != nil || len(c.Leases) > 0 || c.Publishes() {
			t.Errorf("%s: got %+v, %v", when, c, err)
		}
	}
	c, err := p.disconnect("web", "default")
	if err == nil {
		err = p.ports.End(t.Context(), "web", func() bool { return c.Publishes() })
	}
	if err != nil {
		t.Fatal(err)
	}
	alone("disconnected")
	if _, err := ask(lan.path, lanHere, int(port), soon); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("its port: got %v", err)
	}
	if _, err := p.disconnect("web", "default"); err == nil || !strings.Contains(err.Error(), "was disconnected from all") {
		t.Errorf("disconnected twice: got %v", err)
	}
	joined, err := p.join("joined", "web")
	if err = errors.Join(err, p.Up(context.Background(), joined), p.Up(context.Background(), c)); err != nil {
		t.Errorf("a start, and one that joins it: %v", err)
	}
	alone("started")
	done()
	p, _ = openPublisher(t, dir)
	alone("at the next host")
	if c, err = p.connect("web", "default", ""); err == nil {
		err = p.hold(c)
	}
	if err != nil {
		t.Fatal(err)
	}
	asks(t, lan.path, lanHere, port, lan.address.String())

	// What has joined it has what it had.
	stop()
	if _, err = p.disconnect("web", "default"); err != nil {
		t.Fatal(err)
	}
	p.end("web")
	if err := p.Up(context.Background(), joined); err != nil {
		t.Errorf("the one that has joined it: %v", err)
	}
	p.removeAll(t)
	p.checkNothing(t)
}
