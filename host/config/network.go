package config

import (
	"errors"
	"fmt"
	"net/netip"
)

// Network configures the networks of containers.
type Network struct {
	// Enabled allows networks that give containers an address. Nil means true. The host
	// changes nothing of the machine's network before there is such a container.
	Enabled *bool `json:"enabled,omitempty"`
	// IPv6 gives networks that do not say whether they have it IPv6, too: those that are made
	// from then on, among them the one that is made when it is first used. A machine that
	// forwards IPv6 is a router to its neighbors, which is why that is a choice.
	IPv6 bool `json:"ipv6,omitempty"`
	// Pool lists the IPv4 subnets from which networks without one of their own get a /24,
	// except where the machine has routes or addresses.
	Pool []string `json:"pool,omitempty"`
}

// PoolBits is the length of the prefix of a subnet from the pool.
const PoolBits = 24

// DefaultPool returns the default of Pool.
func DefaultPool() []string { return []string{"10.209.0.0/16", "192.168.208.0/20"} }

// Subnets returns the Pool.
func (n Network) Subnets() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range n.Pool {
		p, err := netip.ParsePrefix(text)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%q is not a subnet such as 10.209.0.0/16", text)
		case !p.Addr().Is4() || p != p.Masked():
			return nil, fmt.Errorf("%q is not a subnet of IPv4; did you mean %s?", text, p.Masked())
		case p.Bits() > PoolBits || p.Bits() < 8:
			return nil, fmt.Errorf("%q does not hold subnets with /%d; give one from /8 to /%d", text, PoolBits, PoolBits)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		return nil, errors.New("it is empty")
	}
	return all, nil
}
