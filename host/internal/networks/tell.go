package networks

import (
	"encoding/json"
	"net/netip"
	"slices"

	"github.com/davit-run/davit/host/internal/networks/cni"
	"github.com/davit-run/davit/host/internal/store"
)

// argsOf returns what the plugins of a list are told that take it, as JSON, nil if that is
// nothing.
func argsOf(c *store.Container, lease store.Lease, chain *cni.Chain) (json.RawMessage, error) {
	args := map[string]any{}
	var ips []string
	for _, want := range []netip.Addr{lease.Want, lease.Want6} {
		if want.IsValid() {
			ips = append(ips, want.String())
		}
	}
	if len(ips) > 0 {
		args[cni.CapIPs] = ips
	}
	if aliases := append(slices.Clone(c.Names.Aliases), c.Names.Later[lease.Network]...); len(aliases) > 0 {
		args[cni.CapAliases] = aliases
	}
	if n := c.Names; len(n.Servers)+len(n.Search) > 0 {
		args[cni.CapDNS] = map[string]any{"servers": n.Servers, "searches": n.Search}
	}
	if ports := portMappings(c); len(ports) > 0 {
		args[cni.CapPorts] = ports
	}
	for name := range args {
		if !chain.Has(name) {
			delete(args, name)
		}
	}
	if len(args) == 0 {
		return nil, nil
	}
	return json.Marshal(args)
}

// portMappings returns the ports that a container publishes in the words of CNI.
func portMappings(c *store.Container) (all []map[string]any) {
	if c.State == store.Created || c.State == store.Released || c.State == store.Failed {
		return nil // another container of the namespace is started, and they are not bound
	}
	for _, p := range c.Ports {
		mapping := map[string]any{"hostPort": p.HostPort, "containerPort": p.ContainerPort, "protocol": p.Network()}
		if p.HostIP.IsValid() {
			mapping["hostIP"] = p.HostIP.String()
		}
		all = append(all, mapping)
	}
	return all
}

// leaseOf returns the index of the lease with a link that plugins make, or -1.
func leaseOf(c *store.Container, link int) int {
	if c == nil {
		return -1
	}
	return slices.IndexFunc(c.Leases, func(l store.Lease) bool { return l.Link == link && l.Driver == cniDriver })
}
