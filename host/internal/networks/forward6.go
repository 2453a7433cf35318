package networks

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
)

// forward6 turns on the forwarding of IPv6, which is off on most machines. The kernel then takes
// the machine for a router, which forgets the addresses and the default route that it has from
// another one, unless its links are told to go on. That is done first, so that they are not lost
// for a moment, nor if the host dies between.
func (m *Manager) forward6() {
	path := filepath.Join(sysctls6, "all", "forwarding")
	now, err := os.ReadFile(path)
	if err == nil && !bytes.HasPrefix(now, []byte("0")) {
		return
	}
	var told []string
	if err == nil {
		told, err = m.keepAdvertised()
	}
	if err == nil {
		err = os.WriteFile(path, []byte("1"), 0)
	}
	if err != nil {
		m.logger.Warn("forwarding of IPv6 cannot be turned on, so containers reach no further than this machine by it; run sysctl -w net.ipv6.conf.all.forwarding=1, and before that net.ipv6.conf.LINK.accept_ra=2 for links that have their addresses from a router", "error", err)
		return
	}
	m.logger.Info("forwarding of IPv6 was off and is on now, so that containers reach more than this machine", "file", path)
	if len(told) > 0 {
		m.logger.Info("links of this machine go on with the addresses that they have from a router: their accept_ra is 2 now, which those need too that are added later", "links", strings.Join(told, ", "))
	}
}

// keepAdvertised has the links of the machine that take router advertisements go on with them
// when it is a router itself, and returns their names. It leaves out the host's own, and those
// of bridges.
func (m *Manager) keepAdvertised() (told []string, err error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		attrs := l.Attrs()
		if attrs.MasterIndex != 0 || attrs.Flags&net.FlagLoopback != 0 || m.ownBridge(attrs.Name) || strings.HasPrefix(attrs.Name, linkPrefix) {
			continue
		}
		path := filepath.Join(sysctls6, attrs.Name, "accept_ra")
		now, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // it has just gone, or has no IPv6
		}
		if err != nil {
			return told, err
		}
		const unlessRouter = "1"
		if strings.TrimSpace(string(now)) != unlessRouter {
			continue
		}
		if err := os.WriteFile(path, []byte("2"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			return told, err
		}
		told = append(told, attrs.Name)
	}
	return told, nil
}
