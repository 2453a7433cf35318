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
	args := []any{"file", path}
	if len(told) > 0 {
		args = append(args, "accept_ra_is_2_now_of", strings.Join(told, ", "))
	}
	m.logger.Info("forwarding of IPv6 was off and is on now, so that containers reach more than this machine; links that take router advertisements go on with it, and those that are added later do if their accept_ra is 2", args...)
}

// keepAdvertised has the links of the machine that take router advertisements take them from
// routers too, and returns their names. It leaves out the host's own, and ends of bridges.
func (m *Manager) keepAdvertised() (told []string, err error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		attrs := l.Attrs()
		if attrs.MasterIndex != 0 || attrs.Flags&net.FlagLoopback != 0 || m.ownBridge(attrs.Name) {
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
