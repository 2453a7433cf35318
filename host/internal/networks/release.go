package networks

import (
	"context"
	"errors"
	"slices"

	"github.com/davit-run/davit/host/internal/networks/cni"
	"github.com/davit-run/davit/host/internal/store"
)

// Release has plugins take back what they have made for the network namespace of a container
// that is about to be removed, unless another container has it. The namespace is there still.
func (m *Manager) Release(ctx context.Context, c *store.Container) error {
	ctx, stop := m.lasting(ctx)
	defer stop()
	unlock, err := m.spaces.Lock(ctx, c.NetNS())
	if err != nil {
		return err
	}
	defer unlock()
	var sharers []string
	err = m.store.View(func(tx *store.Tx) (err error) {
		sharers, err = tx.Sharers(c.NetNS())
		return err
	})
	if err != nil || slices.ContainsFunc(sharers, func(id string) bool { return id != c.ID }) {
		return err
	}
	for _, d := range m.drivers {
		if err := d.down(ctx, c.NetNS()); err != nil {
			return err
		}
	}
	return nil
}

// Settle has plugins take back what leads to the ports of the machine that a container has
// published, since it has ended for good and others may have them. ok reports whether that is
// so while nobody starts the container.
func (m *Manager) Settle(ctx context.Context, c *store.Container, ok func() bool) error {
	if !slices.ContainsFunc(c.Attachments, publishes) {
		return nil
	}
	ctx, stop := m.lasting(ctx)
	defer stop()
	unlock, err := m.spaces.Lock(ctx, c.NetNS())
	if err != nil {
		return err
	}
	defer unlock()
	runs, err := m.runs(c.NetNS())
	holder, herr := m.plugins.holder(c.NetNS())
	if err = errors.Join(err, herr); err != nil || runs || holder == nil || !ok() {
		return err
	}
	for _, a := range holder.Attachments {
		if publishes(a) {
			if err := m.plugins.detach(ctx, c.NetNS(), a); err != nil {
				return err
			}
		}
	}
	return nil
}

// publishes reports whether plugins were told of published ports.
func publishes(a store.Attachment) bool {
	chain, err := cni.Parse(a.Config)
	return err == nil && chain.Has(cni.CapPorts) && len(a.Args) > 0
}

// TellsPorts reports whether plugins are told which ports a container publishes, so that they
// have to be bound before.
func (m *Manager) TellsPorts(c *store.Container) bool {
	return slices.ContainsFunc(c.Leases, func(l store.Lease) bool { return l.Driver == cniDriver })
}
