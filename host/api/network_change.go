package api

import (
	"context"
	"net/http"
)

// NetworkOptions say what network to make.
type NetworkOptions struct {
	// Name is new; see [ocispec.ValidateNetworkName].
	Name string `json:"name"`
	// Subnet is one of IPv4, such as 10.1.2.0/24, that overlaps with no other network and
	// with nothing that the machine has an address on or a route to. Empty means one from the
	// pool of the config.
	Subnet string `json:"subnet,omitempty"`
	// Gateway is an address of Subnet; empty means its first.
	Gateway string `json:"gateway,omitempty"`
	// IPv6 gives the network IPv6 in addition, or keeps it from it. Nil means what the config
	// says, and true if Subnet6 is given.
	IPv6 *bool `json:"ipv6,omitempty"`
	// Subnet6 is one of IPv6, as Subnet is of IPv4. Empty means one of the prefix that the host
	// has for itself (RFC 4193). What goes from there to more than this machine has an address
	// of the machine. Other subnets are routed as they are.
	Subnet6 string `json:"subnet6,omitempty"`
	// Gateway6 is an address of Subnet6; empty means its first.
	Gateway6 string `json:"gateway6,omitempty"`
	// Internal keeps the network from leading anywhere else.
	Internal bool `json:"internal,omitempty"`
	// MTU is how large a packet may be, in bytes; 0 means as large as on the link of the
	// machine's default route.
	MTU int `json:"mtu,omitempty"`
	// Labels have at most 64 KiB in all.
	Labels map[string]string `json:"labels,omitempty"`
}

type networkCreator interface {
	CreateNetwork(ctx context.Context, opts NetworkOptions) (Network, error)
}

var createNetworkRoute = define(route[networkCreator, NetworkOptions, Network]{
	Name:   "CreateNetwork",
	Method: http.MethodPost,
	Path:   "/v1/networks",
	Doc:    "makes a network",
	Serve: func(ctx context.Context, h networkCreator, r *NetworkOptions) (Network, error) {
		return h.CreateNetwork(ctx, *r)
	},
})

// CreateNetwork makes a network. The error is [executor.AlreadyExists] if there is one with
// the name.
func (c *Client) CreateNetwork(ctx context.Context, opts NetworkOptions) (Network, error) {
	return createNetworkRoute.call(ctx, c, opts)
}

type networkRemover interface {
	RemoveNetwork(ctx context.Context, name string) error
}

var removeNetworkRoute = define(route[networkRemover, networkRequest, none]{
	Name:   "RemoveNetwork",
	Method: http.MethodDelete,
	Path:   "/v1/networks/{name}",
	Doc:    "removes a network that no container has",
	Serve: func(ctx context.Context, h networkRemover, r *networkRequest) (none, error) {
		return none{}, h.RemoveNetwork(ctx, r.Name)
	},
})

// RemoveNetwork removes a network that no container has.
func (c *Client) RemoveNetwork(ctx context.Context, name string) error {
	_, err := removeNetworkRoute.call(ctx, c, networkRequest{name})
	return err
}

// PruneNetworksOptions say which networks to remove.
type PruneNetworksOptions struct {
	// DryRun removes nothing.
	DryRun bool `json:"dry_run,omitempty"`
}

type networkPruner interface {
	PruneNetworks(ctx context.Context, opts PruneNetworksOptions) ([]Network, error)
}

var pruneNetworksRoute = define(route[networkPruner, PruneNetworksOptions, []Network]{
	Name:   "PruneNetworks",
	Method: http.MethodPost,
	Path:   "/v1/networks/prune",
	Doc:    "removes the networks that no container has",
	Serve: func(ctx context.Context, h networkPruner, r *PruneNetworksOptions) ([]Network, error) {
		return h.PruneNetworks(ctx, *r)
	},
})

// PruneNetworks removes the networks that no container has, and returns them.
func (c *Client) PruneNetworks(ctx context.Context, opts PruneNetworksOptions) ([]Network, error) {
	return pruneNetworksRoute.call(ctx, c, opts)
}
