package api

import (
	"strings"

	"github.com/davit-run/davit/host/ocispec"
)

// checkJoin checks that a container that asks for the network of another asks for nothing that
// belongs to that network, as docker does.
func (o *ContainerOptions) checkJoin() error {
	if !strings.HasPrefix(o.Network, ocispec.NetworkContainer) {
		return nil
	}
	for _, other := range []struct {
		what  string
		given bool
	}{
		{"published ports", len(o.Publish) > 0 || o.PublishAll},
		{"an address", o.IP != "" || o.IP6 != ""},
		{"a MAC address", o.MACAddress != ""},
		{"a network alias", len(o.NetworkAliases) > 0},
		{"a host name", o.Process.Hostname != ""},
		{"name servers or search domains", len(o.DNS)+len(o.DNSSearch) > 0},
		{"hosts for /etc/hosts", len(o.AddHosts) > 0},
	} {
		if other.given {
			return invalid("network %s is that of another container, and %s can only be given to that one; leave out one of them", o.Network, other.what)
		}
	}
	return nil
}
