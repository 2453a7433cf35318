package networks

import (
	"fmt"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/vishvananda/netlink"
)

// Traffic returns what came and went over each link of a container's own since it was made.
// The machine's end of a link counts it, so that nobody has to enter the container: what that
// end has received, the container has sent.
func (m *Manager) Traffic(id string) (all []api.Traffic, err error) {
	if !m.enabled {
		return nil, nil
	}
	var leases []store.Lease
	err = m.store.View(func(tx *store.Tx) error {
		c, err := tx.Container(id)
		if err == nil && c.Joined == "" {
			leases = c.Leases
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, l := range leases {
		link, err := find(outsideName(id, l.Link))
		if err != nil {
			return nil, explain(fmt.Sprintf("link of network %s", l.Network), err)
		}
		if link == nil || link.Attrs().Statistics == nil {
			continue
		}
		s := (*netlink.LinkStatistics64)(link.Attrs().Statistics)
		all = append(all, api.Traffic{
			Interface: insideName(l.Link), Network: l.Network,
			Received: api.LinkCount{Bytes: s.TxBytes, Packets: s.TxPackets, Errors: s.TxErrors, Dropped: s.TxDropped},
			Sent:     api.LinkCount{Bytes: s.RxBytes, Packets: s.RxPackets, Errors: s.RxErrors, Dropped: s.RxDropped},
		})
	}
	return all, nil
}
