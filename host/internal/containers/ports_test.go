package containers

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/publish"
)

// TestPublishIsRefused shows that a container that cannot have its ports leaves nothing,
// neither a bound port nor a record.
func TestPublishIsRefused(t *testing.T) {
	m := openManager(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(l.Addr().String())
	port := publish.Port{HostIP: at.Addr(), HostPort: at.Port(), ContainerPort: 80}
	refused := func(network, want string, ports ...publish.Port) {
		t.Helper()
		opts := program(t, "exit 0")
		opts.Network, opts.Publish = network, ports
		if c, err := m.Create(t.Context(), opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %+v, %v\nwant %s", c, err, want)
		}
	}
	refused("", "it is in use by", port)
	_ = l.Close()
	refused("", "networks are off in the config", port)
	refused(ocispec.NetworkHost, "leave out one of them", port)
	refused(ocispec.NetworkNone, "leave out one of them", port)
	refused("", "is published twice", port, port)
	refused("", "the container's port is 0", publish.Port{HostPort: 80})
	if l, err = net.Listen("tcp", at.String()); err != nil {
		t.Errorf("the port is not free again: %v", err)
	} else {
		_ = l.Close()
	}
	if all, err := m.List(); err != nil || len(all) > 0 {
		t.Errorf("there are %+v, %v", all, err)
	}
}

func TestPublishes(t *testing.T) {
	for _, tt := range []struct {
		name string
		c    store.Container
		want bool
	}{
		{"made", store.Container{State: store.Created}, false},
		{"about to be started", store.Container{State: store.Creating}, true},
		{"runs", store.Container{State: store.Running}, true},
		{"output is not complete", store.Container{State: store.Exited}, true},
		{"has ended", store.Container{State: store.Released}, false},
		{"is to be restarted", store.Container{State: store.Released, RestartAt: time.Unix(1, 0)}, true},
		{"has failed", store.Container{State: store.Failed}, false},
	} {
		tt.c.Publish = []publish.Port{{ContainerPort: 80}}
		if got := tt.c.Publishes(); got != tt.want {
			t.Errorf("%s: got %t", tt.name, got)
		}
	}
	if (&store.Container{State: store.Running}).Publishes() {
		t.Error("one without ports publishes some")
	}
}
