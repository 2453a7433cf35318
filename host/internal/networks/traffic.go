package networks

import (
	"net"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Traffic returns what has passed each link of a container's network namespace, its loopback
// apart. There is none for a container that has none of the host's namespaces, whose traffic is
// not its own or is only its backend's to know. Restarts do not reset it.
func (m *Manager) Traffic(c *store.Container) (all []api.Traffic, err error) {
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
	for _, l := range links {
		a := l.Attrs()
		if a.Flags&net.FlagLoopback != 0 || a.Statistics == nil {
			continue
		}
		s := a.Statistics
		all = append(all, api.Traffic{
			Interface: a.Name, Network: networkOf(c, a.Name),
			Received: api.LinkCount{Bytes: s.RxBytes, Packets: s.RxPackets, Errors: s.RxErrors, Dropped: s.RxDropped},
			Sent:     api.LinkCount{Bytes: s.TxBytes, Packets: s.TxPackets, Errors: s.TxErrors, Dropped: s.TxDropped},
		})
	}
	return all, nil
}

// networkOf returns the network that a link within leads to, or "" if the records do not say.
func networkOf(c *store.Container, link string) string {
	for _, l := range c.Leases {
		if insideName(l.Link) == link {
			return l.Network
		}
	}
	return ""
}
