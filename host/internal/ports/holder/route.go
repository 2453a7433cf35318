package holder

import (
	"encoding/binary"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// route is where a datagram comes from, and the address of the machine to which it was sent.
// An answer has to come from there, or its receiver does not take it for one.
type route struct {
	from netip.AddrPort
	to   netip.Addr // not valid if it is not known
	// link is the interface, for addresses that mean something there alone.
	link uint32
}

// tellRoutes lets the kernel tell to which address a datagram was sent, where a socket has
// several.
func tellRoutes(conn *net.UDPConn) error {
	local := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	if !local.IsUnspecified() {
		return nil
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	cerr := raw.Control(func(fd uintptr) {
		if local.Is4() {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		} else {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		}
	})
	if cerr != nil {
		return cerr
	}
	return err
}

// routeOf returns the route of a datagram with control messages.
func routeOf(from netip.AddrPort, oob []byte) route {
	r := route{from: from}
	for len(oob) > 0 {
		header, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return r
		}
		oob = rest
		switch {
		case header.Level == unix.IPPROTO_IP && header.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			r.to = netip.AddrFrom4([4]byte(data[4:8])) // interface, local address, address in the header
		case header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			r.to = netip.AddrFrom16([16]byte(data[:16]))
			if r.to.IsLinkLocalUnicast() {
				r.link = binary.NativeEndian.Uint32(data[16:20])
			}
		}
	}
	return r
}

// source returns the control message with which an answer takes the route back.
func (r route) source() []byte {
	switch {
	case r.to.Is4():
		return unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: r.to.As4()})
	case r.to.IsValid():
		return unix.PktInfo6(&unix.Inet6Pktinfo{Addr: r.to.As16(), Ifindex: r.link})
	}
	return nil
}
