package host

import (
	"context"
	"path/filepath"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/internal/networks"
	"github.com/hashicorp/go-hclog"
)

// openNetworks opens the networks. Only the host of the default state directory, of which
// there is one, has names without an id.
func (h *Host) openNetworks(ctx context.Context, cfg config.Config, logger hclog.Logger) (*networks.Manager, error) {
	const length = 8
	own := h.store.Info().HostID[:length]
	if filepath.Clean(cfg.StateDir) == (config.Config{}).WithDefaults().StateDir {
		own = ""
	}
	pool, _ := cfg.Network.Subnets() // was validated
	return networks.Open(ctx, networks.Options{
		Store: h.store, Logger: logger, StateDir: cfg.StateDir, RunDir: cfg.RunDir, Enabled: *cfg.Network.Enabled, IPv6: cfg.Network.IPv6, Pool: pool, Own: own,
		Serves: h.ports.Serves,
	})
}

// Networks returns all networks, by name.
func (h *Host) Networks() ([]api.Network, error) { return h.networks.List() }

// CheckNetworks returns what would keep containers from reaching each other, and more than
// this machine, now. The findings have no range.
func (h *Host) CheckNetworks() (diag.Diagnostics, error) { return h.networks.Obstacles() }

// InspectNetwork returns a network.
func (h *Host) InspectNetwork(name string) (api.Network, error) { return h.networks.Inspect(name) }

// CreateNetwork makes a network. It checks opts before it makes anything. The error is
// [executor.AlreadyExists] if there is one with the name.
func (h *Host) CreateNetwork(ctx context.Context, opts api.NetworkOptions) (api.Network, error) {
	return h.networks.Create(ctx, opts)
}

// ConnectNetwork gives a container an address on a network in addition, whether it runs or not.
// The others of the network find it by its name, id and aliases. The error is
// [executor.AlreadyExists] if it has one, and [executor.FailedPrecondition] for a container
// whose network is none, the machine's or that of another container. The change is recorded
// before it is made, and lasts until the container is removed.
func (h *Host) ConnectNetwork(ctx context.Context, network, container string, opts api.ConnectOptions) error {
	return h.containers.ConnectNetwork(ctx, network, container, opts)
}

// DisconnectNetwork takes the address that a container has on a network, whether it runs or
// not. The error is [executor.FailedPrecondition] for one that it does not have. Published ports
// lead to the first address that is left, and are closed with the last one until the container
// is connected to a network again.
func (h *Host) DisconnectNetwork(ctx context.Context, network, container string, opts api.DisconnectOptions) error {
	return h.containers.DisconnectNetwork(ctx, network, container, opts)
}

// RemoveNetwork removes a network. The error is [executor.FailedPrecondition] for one on which
// containers have addresses, whether they run or not.
func (h *Host) RemoveNetwork(ctx context.Context, name string) error {
	return h.networks.Remove(ctx, name)
}

// PruneNetworks removes the networks on which no container has an address, and returns them.
func (h *Host) PruneNetworks(ctx context.Context, opts api.PruneNetworksOptions) ([]api.Network, error) {
	return h.networks.Prune(ctx, opts)
}
