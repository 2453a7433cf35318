package api

import (
	"context"
	"net/http"
)

// EventConnected and EventDisconnected occur when a container, after it was made, got an
// address on a network or lost it. Data has both, and address6 where there is IPv6.
const (
	EventConnected    = "container.connected"
	EventDisconnected = "container.disconnected"
)

// ConnectOptions say how a container is connected to a network.
type ConnectOptions struct {
	// IP is the address that it is to have, and IP6 that of IPv6; empty means a free one.
	IP  string `json:"ip,omitempty"`
	IP6 string `json:"ip6,omitempty"`
	// Aliases are names that the others of the network find it by, beside its own.
	Aliases []string `json:"aliases,omitempty"`
}

type connectRequest struct {
	Network   string `path:"name" json:"-"`
	Container string `json:"container"`
	ConnectOptions
}

type networkConnecter interface {
	ConnectNetwork(ctx context.Context, network, container string, opts ConnectOptions) error
}

var connectNetworkRoute = define(route[networkConnecter, connectRequest, none]{
	Name:      "ConnectNetwork",
	Method:    http.MethodPost,
	Path:      "/v1/networks/{name}/connect",
	Doc:       "gives a container an address on a network in addition",
	NeedsBody: true,
	Serve: func(ctx context.Context, h networkConnecter, r *connectRequest) (none, error) {
		return none{}, h.ConnectNetwork(ctx, r.Network, r.Container, r.ConnectOptions)
	},
})

// ConnectNetwork gives a container an address on a network in addition; see the method of
// host.Host.
func (c *Client) ConnectNetwork(ctx context.Context, network, container string, opts ConnectOptions) error {
	_, err := connectNetworkRoute.call(ctx, c, connectRequest{network, container, opts})
	return err
}

// DisconnectOptions say how a container is disconnected from a network.
type DisconnectOptions struct {
	// Force means that it is no error if the container is not on the network, or there is
	// none.
	Force bool `json:"force,omitempty"`
}

type disconnectRequest struct {
	Network   string `path:"name" json:"-"`
	Container string `json:"container"`
	DisconnectOptions
}

type networkDisconnecter interface {
	DisconnectNetwork(ctx context.Context, network, container string, opts DisconnectOptions) error
}

var disconnectNetworkRoute = define(route[networkDisconnecter, disconnectRequest, none]{
	Name:      "DisconnectNetwork",
	Method:    http.MethodPost,
	Path:      "/v1/networks/{name}/disconnect",
	Doc:       "takes the address that a container has on a network",
	NeedsBody: true,
	Serve: func(ctx context.Context, h networkDisconnecter, r *disconnectRequest) (none, error) {
		return none{}, h.DisconnectNetwork(ctx, r.Network, r.Container, r.DisconnectOptions)
	},
})

// DisconnectNetwork takes the address that a container has on a network; see the method of
// host.Host.
func (c *Client) DisconnectNetwork(ctx context.Context, network, container string, opts DisconnectOptions) error {
	_, err := disconnectNetworkRoute.call(ctx, c, disconnectRequest{network, container, opts})
	return err
}
