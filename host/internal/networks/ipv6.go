package networks

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/linux"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// sysctls6 is the directory of what the kernel lets one set of IPv6, by link, in the network
// namespace of the calling thread.
const sysctls6 = "/proc/sys/net/ipv6/conf"

// minMTU6 is how large the packets of a link have to be for IPv6, in bytes (RFC 8200, section 5).
const minMTU6 = 1280

// lacksIPv6 returns why this machine has no IPv6, or "" if it has.
func lacksIPv6() string {
	path := filepath.Join(sysctls6, "all", "disable_ipv6")
	off, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "its kernel has none, or was started with ipv6.disable=1"
	case err != nil:
		return err.Error()
	case !bytes.HasPrefix(off, []byte("0")):
		return "net.ipv6.conf.all.disable_ipv6 is not 0"
	}
	return ""
}

// has6 reports whether a network has IPv6, and the machine too.
func has6(n *store.Network) bool { return n.Subnet6.IsValid() && lacksIPv6() == "" }

// logLack says once that networks are to have IPv6, and cannot on this machine.
func (m *Manager) logLack(why string) {
	m.sayLack.Do(func() {
		m.logger.Warn("networks go on with IPv4 alone", "reason", why)
	})
}

// ulaBits is the length of the prefix that a host has for itself.
const ulaBits = 48

// ula returns the prefix of RFC 4193 from which a host's networks have their subnets of IPv6.
// The id of a host is random, and is kept in its store and beside it, so that this is as well.
func ula(hostID string) netip.Prefix {
	sum := sha256.Sum256([]byte("unique local addresses of host " + hostID))
	a := [16]byte{0xfd}
	copy(a[1:ulaBits/8], sum[:])
	return netip.PrefixFrom(netip.AddrFrom16(a), ulaBits)
}

// local reports whether a subnet has addresses of RFC 4193, which mean nothing elsewhere.
func local(subnet netip.Prefix) bool { return subnet.Addr().IsPrivate() }

// quiet prepares a link for IPv6 before it comes up. Whoever is on it cannot make this end send
// by way of them, and, if on, its addresses can be used at once: the host alone gives them, so
// that nobody is asked whether they have them already. It does what it can: see checkSysctls.
func quiet(link string, on bool) {
	values := map[string]string{"accept_ra": "0"}
	if on {
		values["accept_dad"], values["disable_ipv6"] = "0", "0"
	}
	for name, value := range values {
		_ = os.WriteFile(filepath.Join(sysctls6, link, name), []byte(value), 0)
	}
}

// deafen keeps the machine from speaking IPv6 at its end of a container's link. The bridge
// passes on all the same what comes there. Without one, as when others have removed it, nothing
// that the container sends is to get anywhere.
func deafen(link string) {
	_ = os.WriteFile(filepath.Join(sysctls6, link, "disable_ipv6"), []byte("1"), 0)
}

// quiet does what the function quiet does, for a link within.
func (s *space) quiet(link string, on bool) error {
	return linux.KeepNetNS(func() error {
		if err := unix.Setns(int(s.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("setns", err)
		}
		quiet(link, on)
		return nil
	})
}

// checkSysctls says once if links cannot be prepared for IPv6, as in a container.
func (m *Manager) checkSysctls() {
	m.saySysctls.Do(func() {
		if err := unix.Access(filepath.Join(sysctls6, "all", "accept_ra"), unix.W_OK); err != nil && lacksIPv6() == "" {
			m.logger.Warn("links cannot be kept from taking containers for routers of IPv6", "directory", sysctls6, "error", err)
		}
	})
}

// connect6 gives a link that is up its address of IPv6, and the default route through it if
// that is wanted.
func (s *space) connect6(link netlink.Link, n *store.Network, lease store.Lease, byDefault bool) error {
	err := s.AddrReplace(link, address6(lease.Address6, n.Subnet6))
	if errors.Is(err, unix.EACCES) { // the container has net.ipv6.conf.all.disable_ipv6
		return nil
	}
	if err != nil {
		return fmt.Errorf("address %s: %w", lease.Address6, err)
	}
	if !byDefault {
		return nil
	}
	if err := s.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: n.Gateway6.AsSlice()}); err != nil {
		return fmt.Errorf("default route via %s: %w", n.Gateway6, err)
	}
	return nil
}

// address6 returns an address of a link, which is used at once.
func address6(a netip.Addr, subnet netip.Prefix) *netlink.Addr {
	return &netlink.Addr{IPNet: ipNet(a, subnet), Flags: unix.IFA_F_NODAD}
}
