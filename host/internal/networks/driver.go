package networks

import (
	"context"
	"errors"
	"fmt"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// A driver connects network namespaces to networks of one kind. A lease names the driver that
// has given it, so that what was made is taken back by who has made it.
type driver interface {
	// has reports whether a network is one of its kind.
	has(tx *store.Tx, network string) (bool, error)
	// list returns its networks, by name, and show returns one of them.
	list(tx *store.Tx) ([]api.Network, error)
	show(tx *store.Tx, network string) (api.Network, error)
	// check checks what is asked for, before anything is made.
	check(ctx context.Context, wish store.Lease) error
	// lease completes a lease, in the transaction that records it.
	lease(tx *store.Tx, wish store.Lease) (store.Lease, error)
	// up makes what is missing of its own leases in a network namespace. leases are all that
	// the namespace has, of which the first that leads anywhere has the default route.
	up(ctx context.Context, s *space, leases []store.Lease) error
	// down takes back what up has made, except what goes with the namespace, which is there
	// still, unless the machine was restarted.
	down(ctx context.Context, netns string) error
}

// driverOf returns the driver of a network. That of one that there is not is the bridges',
// which says so.
func (m *Manager) driverOf(tx *store.Tx, network string) (driver, error) {
	for _, d := range m.drivers {
		if has, err := d.has(tx, network); has || err != nil {
			return d, err
		}
	}
	return m.bridge(), nil
}

// bridgeName is what users see as the driver of bridgeDriver.
const bridgeName = "bridge"

// bridgeDriver makes the networks of commands, each with a bridge of its own. Leases do not
// name it.
type bridgeDriver struct{ m *Manager }

func (m *Manager) bridge() driver { return bridgeDriver{m} }

func (b bridgeDriver) has(tx *store.Tx, network string) (bool, error) {
	_, err := tx.Network(network)
	if errors.Is(err, executor.NotFound) {
		return false, nil
	}
	return err == nil, err
}

func (b bridgeDriver) list(tx *store.Tx) ([]api.Network, error) {
	all, err := tx.Networks()
	if err != nil {
		return nil, err
	}
	list := []api.Network{}
	for _, n := range all {
		shown, err := show(tx, n)
		if err != nil {
			return nil, err
		}
		list = append(list, shown)
	}
	return list, nil
}

func (b bridgeDriver) show(tx *store.Tx, network string) (api.Network, error) {
	n, err := tx.Network(network)
	if err != nil {
		return api.Network{}, err
	}
	return show(tx, n)
}

func (b bridgeDriver) check(ctx context.Context, wish store.Lease) error {
	if wish.Network == api.DefaultNetwork {
		if err := b.m.ensureDefault(ctx); err != nil {
			return err
		}
	}
	return b.m.store.View(func(tx *store.Tx) error {
		_, err := b.m.pick(tx, wish)
		return err
	})
}

func (b bridgeDriver) lease(tx *store.Tx, wish store.Lease) (store.Lease, error) {
	lease, err := b.m.pick(tx, wish)
	if err == nil {
		err = freeMAC(tx, wish)
	}
	if err == nil {
		b.m.setLast(lease)
	}
	return lease, err
}

// up makes the bridges and the links of leases.
func (b bridgeDriver) up(_ context.Context, s *space, leases []store.Lease) error {
	networks := make([]*store.Network, len(leases)) // nil for those of other drivers
	err := b.m.store.View(func(tx *store.Tx) (err error) {
		for i, l := range leases {
			if err == nil && l.Driver == "" {
				networks[i], err = tx.Network(l.Network)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	outside, outside6 := -1, -1
	for i, n := range networks {
		if outside < 0 && (n == nil || !n.Internal) {
			outside = i
		}
		if outside6 < 0 && (n == nil || !n.Internal) && leases[i].Address6.IsValid() {
			outside6 = i
		}
		if n == nil {
			continue
		}
		if err := b.m.ensure(n); err != nil {
			return fmt.Errorf("network %s: %w", n.Name, err)
		}
	}
	if err := s.leaveOthers(leases); err != nil {
		return err
	}
	for i, n := range networks {
		if n == nil {
			continue
		}
		if err := s.connect(n, leases[i], i == outside, i == outside6); err != nil {
			return fmt.Errorf("network %s: %w", n.Name, err)
		}
	}
	return nil
}

// down has nothing to do: the links go with the namespace in which their other ends are.
func (b bridgeDriver) down(context.Context, string) error { return nil }
