package networks

import (
	"net"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Traffic returns what has passed the links of a container's network namespace, its loopback
// apart. It is nil for a container that has none of the host's namespaces, whose traffic is not
// its own or is only its backend's to know. Restarts do not reset it.
func (m *Manager) Traffic(c *store.Container) (*api.Traffic, error) {
	path := m.Path(c.NetNS())
	if !m.enabled || len(c.Leases) == 0 && c.Joined == "" || !pinned(path) {
		return nil, nil
	}
	f, err := netns.GetFromPath(path)
	if err != nil {
		return nil, explain("traffic of container "+c.ID, err)
	}
	defer f.Close()
	within, err := netlink.NewHandleAt(f, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, explain("traffic of container "+c.ID, err)
	}
	defer within.Close()
	links, err := within.LinkList()
	if err != nil {
		return nil, explain("traffic of container "+c.ID, err)
	}
	t := new(api.Traffic)
	for _, l := range links {
		a := l.Attrs()
		if a.Flags&net.FlagLoopback != 0 || a.Statistics == nil {
			continue
		}
		t.Received += a.Statistics.RxBytes
		t.Sent += a.Statistics.TxBytes
	}
	return t, nil
}
