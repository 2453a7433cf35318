package publish

import (
	"net"
	"net/netip"
	"strconv"

	"github.com/davit-run/davit/shared/executor"
)

// The protocols of ports.
const (
	TCP = "tcp"
	UDP = "udp"
)

// Max is how many ports a container can publish. Each is a socket of a process that is
// there for as long as the container runs.
const Max = 4096

// Port is a port of a container that is published on the machine.
type Port struct {
	// HostIP is the address of the machine on which it is published. The zero Addr means
	// all, of IPv4 and IPv6.
	HostIP netip.Addr `json:"host_ip,omitzero"`
	// HostPort is the port there. 0 means one that is free.
	HostPort uint16 `json:"host_port,omitempty"`
	// HostLast, if not 0, ends a range that begins with HostPort; any port of it will do.
	HostLast uint16 `json:"host_last,omitempty"`
	// ContainerPort is the port in the container, from 1.
	ContainerPort uint16 `json:"container_port"`
	// Protocol is TCP or UDP. Empty means TCP.
	Protocol string `json:"protocol,omitempty"`
}

// Network returns the protocol, also where it is left open.
func (p Port) Network() string {
	if p.Protocol == "" {
		return TCP
	}
	return p.Protocol
}

// Inner returns the container's side, as in 80/tcp.
func (p Port) Inner() string { return strconv.Itoa(int(p.ContainerPort)) + "/" + p.Network() }

// Outer returns the machine's side, as in 0.0.0.0:8080. A range is written with a dash.
func (p Port) Outer() string {
	ip, port := "0.0.0.0", strconv.Itoa(int(p.HostPort))
	if p.HostIP.IsValid() {
		ip = p.HostIP.String()
	}
	if p.HostLast != 0 {
		port += "-" + strconv.Itoa(int(p.HostLast))
	}
	return net.JoinHostPort(ip, port)
}

// String returns how messages call the port: its side of the machine, and the protocol.
func (p Port) String() string { return p.Outer() + "/" + p.Network() }

// Open reports whether the port of the machine is left open.
func (p Port) Open() bool { return p.HostPort == 0 || p.HostLast != 0 }

// Validate checks one port.
func (p Port) Validate() error {
	switch {
	case p.ContainerPort == 0:
		return executor.Errorf(executor.Invalid, "published port %s: the container's port is 0; ports are 1 to 65535", p)
	case p.Network() != TCP && p.Network() != UDP:
		return executor.Errorf(executor.Invalid, "published port %s: protocol %q is not known; use tcp or udp", p.Inner(), p.Protocol)
	case p.HostLast != 0 && (p.HostPort == 0 || p.HostLast < p.HostPort):
		return executor.Errorf(executor.Invalid, "published port %s: the range %d-%d of the machine is empty", p.Inner(), p.HostPort, p.HostLast)
	case p.HostIP.Zone() != "":
		return executor.Errorf(executor.Invalid, "published port %s: the address %s has a zone, and link-local addresses cannot be published on", p.Inner(), p.HostIP)
	}
	return nil
}

// Check checks the ports of one container, each and together.
func Check(ports []Port) error {
	if len(ports) > Max {
		return executor.Errorf(executor.Invalid, "%d ports are published; at most %d are possible for a container", len(ports), Max)
	}
	type key struct {
		network string
		port    uint16
	}
	taken := map[key][]Port{}
	for _, p := range ports {
		if err := p.Validate(); err != nil {
			return err
		}
		if p.Open() {
			continue
		}
		k := key{p.Network(), p.HostPort}
		for _, other := range taken[k] {
			if overlap(p.HostIP, other.HostIP) {
				return executor.Errorf(executor.Invalid, "port %s of the machine is published twice, for %s and for %s of the container", p, other.Inner(), p.Inner())
			}
		}
		taken[k] = append(taken[k], p)
	}
	return nil
}

// overlap reports whether a port cannot be published on both addresses.
func overlap(a, b netip.Addr) bool {
	switch {
	case !a.IsValid(), !b.IsValid(), a == b:
		return true
	case a.Is4() != b.Is4():
		return false
	}
	return a.IsUnspecified() || b.IsUnspecified()
}
