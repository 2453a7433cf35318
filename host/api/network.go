package api

import (
	"context"
	"net/http"
	"net/netip"
	"time"
)

// DefaultNetwork is the name of the network that is made when it is first used.
const DefaultNetwork = "default"

// Network connects containers with each other and, unless it is internal, with what the
// machine can reach.
type Network struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
	// Subnet has the addresses of its containers, and Gateway is the machine's own.
	Subnet  netip.Prefix `json:"subnet"`
	Gateway netip.Addr   `json:"gateway"`
	// Subnet6 and Gateway6 are those of IPv6, and not valid if the network has none.
	Subnet6  netip.Prefix `json:"subnet6,omitzero"`
	Gateway6 netip.Addr   `json:"gateway6,omitzero"`
	// Internal networks lead nowhere else.
	Internal bool `json:"internal,omitempty"`
	// Bridge is the name of its link on the machine, and MTU how large a packet may be, in
	// bytes.
	Bridge    string    `json:"bridge"`
	MTU       int       `json:"mtu"`
	CreatedAt time.Time `json:"created_at"`
	// Containers are those that have an address, whether they run or not, by address.
	Containers []NetworkMember `json:"containers"`
}

// NetworkMember is a container of a network.
type NetworkMember struct {
	ID      string     `json:"id"`
	Name    string     `json:"name,omitempty"`
	Address netip.Addr `json:"address"`
	// Address6 is that of IPv6, and not valid if the network has none.
	Address6 netip.Addr `json:"address6,omitzero"`
}

type networkLister interface{ Networks() ([]Network, error) }

var networksRoute = define(route[networkLister, none, []Network]{
	Name:   "Networks",
	Method: http.MethodGet,
	Path:   "/v1/networks",
	Doc:    "lists all networks, by name",
	Serve:  func(_ context.Context, h networkLister, _ *none) ([]Network, error) { return h.Networks() },
})

// Networks returns all networks, by name.
func (c *Client) Networks(ctx context.Context) ([]Network, error) {
	return networksRoute.call(ctx, c, none{})
}

// networkRequest names a network.
type networkRequest struct {
	Name string `path:"name" json:"-"`
}

type networkInspector interface {
	InspectNetwork(name string) (Network, error)
}

var inspectNetworkRoute = define(route[networkInspector, networkRequest, Network]{
	Name:   "InspectNetwork",
	Method: http.MethodGet,
	Path:   "/v1/networks/{name}",
	Doc:    "returns a network",
	Serve: func(_ context.Context, h networkInspector, r *networkRequest) (Network, error) {
		return h.InspectNetwork(r.Name)
	},
})

// InspectNetwork returns a network.
func (c *Client) InspectNetwork(ctx context.Context, name string) (Network, error) {
	return inspectNetworkRoute.call(ctx, c, networkRequest{name})
}
