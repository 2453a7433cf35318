package doctor

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

var _ = add(80, "networks", lookAtNetworks)

// lookAtNetworks looks at what networks of containers need. What a running host finds in the
// firewall is among the findings of the check of the host.
func lookAtNetworks(_ context.Context, p *Patient, r *report) {
	if p.Config.Network.Enabled != nil && !*p.Config.Network.Enabled {
		r.ok("they are off in the config")
		return
	}
	p.lookAtCapabilities(r)
	c, err := nftables.New()
	if err == nil {
		_, err = c.ListTables()
	}
	switch {
	case err == nil:
		r.ok("nftables can be asked")
	case errors.Is(err, unix.EPERM):
		r.add(Unknown, "run davit doctor as root", "nftables: this user may not ask")
	default:
		r.warn("boot a kernel with CONFIG_NF_TABLES, or run modprobe nf_tables; --network none and host work without", "nftables: %v", err)
	}
	forward, err := p.read("/proc/sys/net/ipv4/ip_forward")
	switch {
	case err != nil:
		r.unread("forwarding", err)
	case forward == "1":
		r.ok("forwarding of IPv4 is on")
	case unix.Access(p.at("/proc/sys/net/ipv4/ip_forward"), unix.W_OK) != nil && unix.Geteuid() == 0:
		r.warn("set sysctl net.ipv4.ip_forward=1 from outside", "forwarding of IPv4 is off, and cannot be switched on here: containers reach this machine alone")
	default:
		r.ok("forwarding of IPv4 is off; the host switches it on for the first network")
	}
}

// lookAtCapabilities looks at those of the host, or else of this process.
func (p *Patient) lookAtCapabilities(r *report) {
	dir, whose := p.process()
	status, err := p.read(dir + "/status")
	if err != nil {
		r.unread("capabilities of "+whose, err)
		return
	}
	var effective uint64
	for line := range strings.Lines(status) {
		if text, ok := strings.CutPrefix(line, "CapEff:"); ok {
			effective, err = strconv.ParseUint(strings.TrimSpace(text), 16, 64)
		}
	}
	var missing []string
	for name, bit := range map[string]uint{"CAP_NET_ADMIN": unix.CAP_NET_ADMIN, "CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN} {
		if effective&(1<<bit) == 0 {
			missing = append(missing, name)
		}
	}
	switch {
	case err != nil:
		r.unread("capabilities of "+whose, err)
	case len(missing) == 0:
		r.ok("%s has CAP_NET_ADMIN and CAP_SYS_ADMIN", whose)
	case p.host == nil && unix.Geteuid() != 0:
		r.add(Unknown, "run davit doctor as the user of the host", "whether the host may make networks: this user may not")
	default:
		r.warn("run the host as root, or give it these; --network none and host work without", "%s lacks what networks need", whose)
	}
}
