package containers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// upNetwork makes the network of a container that is about to be started, and brings its record
// up to date: plugins may have given it another address. again means that it may run already.
func (m *Manager) upNetwork(ctx context.Context, c *store.Container, again bool) error {
	if !again && m.networks.TellsPorts(c) {
		if err := m.bindPorts(ctx, c.ID); err != nil {
			return err
		}
	}
	before, err := m.networks.Leases(c)
	if err != nil {
		return err
	}
	if err := m.networks.Up(ctx, c); err != nil {
		return err
	}
	var now *store.Container
	err = m.store.View(func(tx *store.Tx) (err error) {
		now, err = tx.LeaseHolder(c.NetNS())
		return err
	})
	if errors.Is(err, executor.NotFound) {
		return nil // it has no network of the host's
	}
	if err != nil {
		return err
	}
	if now.ID == c.ID {
		c.Leases, c.Attachments = now.Leases, now.Attachments
	}
	if len(now.Attachments) > 0 {
		m.keepCopy(now.ID)
	}
	// It may have been disconnected meanwhile, from the last of its networks.
	if had := first(before).Addresses(); len(had) > 0 && !slices.Equal(had, first(now.Leases).Addresses()) {
		m.moveOwnName(now, before)
	}
	return nil
}

// errNetworkHeld is wrapped by errors of plugins that have not taken back what they have made.
var errNetworkHeld = errors.New("what plugins have made of its network is there still")

// releaseNetwork has plugins take back what they have made for a container that is about to be
// removed. If they fail and that is forced, left is what the event of the removal says.
func (m *Manager) releaseNetwork(ctx context.Context, id string) (left map[string]string, err error) {
	c, err := m.record(id)
	if errors.Is(err, executor.NotFound) {
		return nil, nil
	}
	if err != nil || len(c.Attachments) == 0 {
		return nil, err
	}
	err = m.networks.Release(ctx, c)
	switch {
	case err == nil:
		return nil, nil
	case m.ctx.Err() != nil || !c.Forced:
		return nil, &executor.Error{
			Code: executor.Internal, Err: errors.Join(errNetworkHeld, err),
			Message: fmt.Sprintf("container %s: %v; it is tried again, and davit rm --force removes the container without it", id, err),
		}
	}
	m.logger.Error("a container is removed by force, and what plugins have made of its network may be left, such as addresses and rules of a firewall", "container", id, "error", err)
	return map[string]string{"left": err.Error()}, nil
}

// forceRemoval records that a container is to be removed even if plugins fail.
func (m *Manager) forceRemoval(ctx context.Context, id string) error {
	return m.store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Container(id)
		if err != nil {
			return err
		}
		c.Forced = true
		return tx.PutContainer(c)
	})
}

// settleNetwork has plugins take back what leads to the published ports of a container that
// has ended for good.
func (m *Manager) settleNetwork(c *store.Container) {
	now, err := m.record(c.ID)
	if err == nil {
		err = m.networks.Settle(context.WithoutCancel(m.ctx), now, func() bool { return !m.mayPublish(c.ID) })
	}
	if err != nil && !errors.Is(err, executor.NotFound) {
		m.logger.Error("what leads to the ports of a container that has ended was not removed; its next start tries it again, or its removal", "container", c.ID, "error", err)
	}
}
