package publish

import (
	"fmt"
	"net/netip"
	"strings"
)

// Format writes bound ports as docker does, as in 127.0.0.1:8080->80/tcp, with commas. Ports
// that follow one another are written as ranges, and those on all addresses once for each
// family.
func Format(ports []Port) string {
	var parts []string
	for len(ports) > 0 {
		n := 1
		for n < len(ports) && follows(ports[n], ports[0], n) {
			n++
		}
		first, inner := ports[0], fmt.Sprint(ports[0].ContainerPort)
		if n > 1 {
			first.HostLast = ports[n-1].HostPort
			inner += "-" + fmt.Sprint(ports[n-1].ContainerPort)
		}
		for _, p := range first.Families() {
			parts = append(parts, p.Outer()+"->"+inner+"/"+first.Network())
		}
		ports = ports[n:]
	}
	return strings.Join(parts, ", ")
}

// Families returns a port that is published on all addresses as two, of IPv4 and of IPv6, and
// any other as it is.
func (p Port) Families() []Port {
	if p.HostIP.IsValid() {
		return []Port{p}
	}
	four, six := p, p
	four.HostIP, six.HostIP = netip.IPv4Unspecified(), netip.IPv6Unspecified()
	return []Port{four, six}
}

// follows reports whether p comes n after first, on both sides.
func follows(p, first Port, n int) bool {
	return p.HostIP == first.HostIP && p.Network() == first.Network() &&
		int(p.HostPort) == int(first.HostPort)+n && int(p.ContainerPort) == int(first.ContainerPort)+n
}
