package server

import (
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// ZonesFile is the name of the file with [Zones].
const ZonesFile = "zones.json"

// Zones say what is answered to whom.
type Zones struct {
	// ID tells one resolver from others; see [IDName].
	ID       string    `json:"id"`
	Networks []Network `json:"networks"`
	// Clients are those who may ask, by address.
	Clients map[netip.Addr]Client `json:"clients"`
}

// Network is a network with its names.
type Network struct {
	Name string `json:"name"`
	// Gateways are the machine's addresses, at which it is asked.
	Gateways []netip.Addr `json:"gateways"`
	// Subnets are those of its containers.
	Subnets []netip.Prefix `json:"subnets"`
	// Internal networks lead nowhere else.
	Internal bool `json:"internal,omitempty"`
	// Names has the addresses of each name, in lower case.
	Names map[string][]netip.Addr `json:"names"`
	// Addresses has the name of each address.
	Addresses map[netip.Addr]string `json:"addresses"`
}

// Client is a container.
type Client struct {
	// Networks are the names of those on which it is.
	Networks []string `json:"networks"`
	// Servers are the addresses of name servers of its own.
	Servers []string `json:"servers,omitempty"`
	// Search are the domains in which it looks for short names; empty means those of the
	// machine.
	Search []string `json:"search,omitempty"`
}

// A view is what one client can see.
type view struct {
	networks []*Network
	servers  []string
	search   []string
}

// of returns what a client can see; ok is false if nobody has the address.
func (z *Zones) of(a netip.Addr) (v view, ok bool) {
	c, ok := z.Clients[a]
	if !ok {
		return v, false
	}
	v.servers, v.search = c.Servers, c.Search
	for i := range z.Networks {
		if n := &z.Networks[i]; slices.Contains(c.Networks, n.Name) {
			v.networks = append(v.networks, n)
		}
	}
	return v, true
}

// lookup returns the addresses of a name in lower case; ok is false if there is none.
func (v view) lookup(name string) (all []netip.Addr, ok bool) {
	for _, n := range v.networks {
		if found, has := n.Names[name]; has {
			all, ok = append(all, found...), true
		}
	}
	return all, ok
}

// inDomain returns the addresses of a name to which a client has added one of its domains, as
// programs do that look for a short name.
func (v view) inDomain(name string, search []string) (all []netip.Addr, ok bool) {
	for _, domain := range search {
		if short, has := strings.CutSuffix(name, "."+strings.ToLower(strings.Trim(domain, "."))); has {
			if all, ok := v.lookup(short); ok {
				return all, true
			}
		}
	}
	return nil, false
}

// nameOf returns the name of an address, or "". within is true for one of a network, which
// nobody else knows.
func (v view) nameOf(a netip.Addr) (name string, within bool) {
	for _, n := range v.networks {
		if name := n.Addresses[a]; name != "" {
			return name, true
		}
		within = within || slices.ContainsFunc(n.Subnets, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return "", within
}

// leads reports whether a client reaches more than its networks.
func (v view) leads() bool {
	return slices.ContainsFunc(v.networks, func(n *Network) bool { return !n.Internal })
}

// A source is the file with zones.
type source struct {
	path string

	mu    sync.Mutex
	seen  os.FileInfo
	zones *Zones
}

// now returns the zones, as they are in the file. A file that cannot be read changes nothing.
func (s *source) now() (*Zones, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Stat(s.path)
	if err != nil {
		return s.zones, err
	}
	if s.zones != nil && os.SameFile(info, s.seen) && info.ModTime().Equal(s.seen.ModTime()) && info.Size() == s.seen.Size() {
		return s.zones, nil
	}
	text, err := os.ReadFile(s.path)
	if err != nil {
		return s.zones, err
	}
	z := new(Zones)
	if err := json.Unmarshal(text, z); err != nil {
		return s.zones, err
	}
	s.seen, s.zones = info, z
	return z, nil
}

// ttl is how long others may remember a name.
const ttl = 5 * time.Second
