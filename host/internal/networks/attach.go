package networks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/networks/cni"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// holder returns the container that has the leases of a network namespace, or nil.
func (p *plugins) holder(netns string) (c *store.Container, err error) {
	err = p.m.store.View(func(tx *store.Tx) error {
		c, err = tx.LeaseHolder(netns)
		return err
	})
	if errors.Is(err, executor.NotFound) {
		return nil, nil
	}
	return c, err
}

// attach runs the plugins for a lease, unless they have done what there is to do. What an
// interrupted run may have left, or what is in doubt, they take back first. The caller has the
// lock of the namespace.
func (p *plugins) attach(ctx context.Context, netns string, link int) error {
	c, err := p.holder(netns)
	if err != nil {
		return err
	}
	i := leaseOf(c, link)
	if i < 0 {
		return nil
	}
	lease := c.Leases[i]
	if old := c.Attachment(link); old != nil {
		if ok, err := p.good(netns, c, lease, old); ok || err != nil {
			return err
		}
		if err := p.detach(ctx, netns, *old); err != nil {
			return fmt.Errorf("what was made of it before: %w", err)
		}
	}
	n, ok := p.networks[lease.Network]
	if !ok {
		return executor.Errorf(executor.FailedPrecondition, "it is not in the config any more; put it back, or remove the container")
	}
	chain, err := n.load()
	if err != nil {
		return err
	}
	args, err := argsOf(c, lease, chain)
	if err != nil {
		return err
	}
	intent := store.Attachment{Network: lease.Network, Link: link, Config: chain.Text(), Dirs: n.Dirs, Args: args}
	if err := p.record(netns, intent, ""); err != nil {
		return err
	}
	made, err := p.add(ctx, netns, chain, intent)
	if err == nil {
		err = p.record(netns, made, api.EventConnected)
	}
	if err == nil && len(made.Addresses) == 0 {
		err = executor.Errorf(executor.FailedPrecondition, "the plugins have given no address")
	}
	four, six := given(made)
	for want, got := range map[netip.Addr]netip.Addr{lease.Want: four, lease.Want6: six} {
		if err == nil && want.IsValid() && want != got {
			err = executor.Errorf(executor.FailedPrecondition, "the plugins have given the addresses %v, and %s was asked for", made.Addresses, want)
		}
	}
	if err != nil {
		// A start that is cut short has it taken back too.
		ctx, stop := p.m.lasting(context.WithoutCancel(ctx))
		defer stop()
		if derr := p.detach(ctx, netns, made); derr != nil {
			p.m.logger.Warn("what plugins may have made before they failed is there still; the next start of the container tries it again, or its removal", "container", c.ID, "network", lease.Network, "error", derr)
		}
		return err
	}
	return nil
}

// add runs the plugins, and returns what they have made.
func (p *plugins) add(ctx context.Context, netns string, chain *cni.Chain, a store.Attachment) (store.Attachment, error) {
	what, err := p.attachment(netns, chain, a)
	if err != nil {
		return a, err
	}
	r, err := p.runner.Add(ctx, what)
	if err != nil {
		return a, err
	}
	a.Made, a.Kept, a.Addresses, a.Gateway = true, r.Kept, r.Addresses, r.Gateway
	a.Servers, a.Search, a.Options = r.Servers, r.Search, r.Options
	return a, nil
}

// detach has the plugins take back what they have made, or may have made, with the list that
// was theirs then, and forgets it. The caller has the lock of the namespace.
func (p *plugins) detach(ctx context.Context, netns string, a store.Attachment) error {
	chain, err := cni.Parse(a.Config)
	if err != nil {
		return err
	}
	what, err := p.attachment(netns, chain, a)
	if err != nil {
		return err
	}
	// If this is interrupted, the next host need not ask whether all is there.
	err = p.change(netns, func(c *store.Container) bool {
		now := c.Attachment(a.Link)
		if now == nil || !now.Made {
			return false
		}
		now.Made = false
		return true
	})
	if err == nil {
		err = p.runner.Del(ctx, what)
	}
	if err != nil {
		return err
	}
	return p.change(netns, func(c *store.Container) bool {
		c.Attachments = slices.DeleteFunc(c.Attachments, func(b store.Attachment) bool { return b.Link == a.Link })
		if i := leaseOf(c, a.Link); i >= 0 {
			c.Leases[i].Address, c.Leases[i].Address6 = c.Leases[i].Want, c.Leases[i].Want6
		}
		return true
	})
}

// change changes the record of the container that has the leases of a network namespace, if
// there is one and fn returns true.
func (p *plugins) change(netns string, fn func(*store.Container) bool) error {
	return p.m.store.Update(context.Background(), func(tx *store.Tx) error {
		c, err := tx.LeaseHolder(netns)
		if errors.Is(err, executor.NotFound) {
			return nil
		}
		if err != nil || !fn(c) {
			return err
		}
		return tx.PutContainer(c)
	})
}

// record writes what plugins are about to do for a lease, or have done. The error is
// AlreadyExists if another container of the network has the address.
func (p *plugins) record(netns string, a store.Attachment, event string) error {
	return p.m.store.Update(context.Background(), func(tx *store.Tx) error {
		c, err := tx.LeaseHolder(netns)
		if err != nil {
			return err
		}
		i := leaseOf(c, a.Link)
		if i < 0 {
			return executor.Errorf(executor.FailedPrecondition, "container %s was disconnected from network %s meanwhile", called(c), a.Network)
		}
		c.Attachments = append(slices.DeleteFunc(slices.Clone(c.Attachments), func(b store.Attachment) bool { return b.Link == a.Link }), a)
		c.Leases = slices.Clone(c.Leases)
		if len(a.Addresses) > 0 {
			c.Leases[i].Address, c.Leases[i].Address6 = given(a)
		}
		owners, err := tx.Leases(a.Network)
		if err != nil {
			return err
		}
		for _, address := range c.Leases[i].Addresses() {
			if owner := owners[address]; owner != "" && owner != c.ID {
				return executor.Errorf(executor.AlreadyExists, "the plugins have given the address %s, which container %s has", address, owner)
			}
		}
		if err := tx.PutContainer(c); err != nil {
			return err
		}
		if event == "" {
			return nil
		}
		_, err = tx.Append(store.Event{Type: event, Container: c.ID, Attempt: c.Attempt, Data: map[string]string{"network": a.Network, "address": joined(c.Leases[i].Addresses())}})
		return err
	})
}

// attachment returns for what plugins are run.
func (p *plugins) attachment(netns string, chain *cni.Chain, a store.Attachment) (cni.Attachment, error) {
	what := cni.Attachment{ID: netns, IfName: insideName(a.Link), Chain: chain, Dirs: a.Dirs, Kept: a.Kept}
	if path := p.m.Path(netns); pinned(path) {
		what.NetNS = path
	}
	if len(a.Args) == 0 {
		return what, nil
	}
	return what, json.Unmarshal(a.Args, &what.Args)
}

// good reports whether what plugins have made is what a container is to have. What is in doubt
// is, while a container that has it runs.
func (p *plugins) good(netns string, c *store.Container, lease store.Lease, a *store.Attachment) (bool, error) {
	if !a.Made {
		return false, nil
	}
	runs, err := p.m.runs(netns)
	if err != nil || runs {
		return true, err
	}
	chain, err := cni.Parse(a.Config)
	if err != nil {
		return false, err
	}
	args, err := argsOf(c, lease, chain)
	return a.Doubt == "" && bytes.Equal(args, a.Args), err
}

// runs reports whether a container of a network namespace runs, as far as is known.
func (m *Manager) runs(netns string) (runs bool, err error) {
	err = m.store.View(func(tx *store.Tx) error {
		ids, err := tx.Sharers(netns)
		for _, id := range ids {
			if c, cerr := tx.Container(id); cerr == nil && (c.State == store.Running || c.State == store.Paused || c.State == store.Exited) {
				runs = true
			}
		}
		return err
	})
	return runs, err
}

// given returns the addresses by which others find a container: the first of each family.
func given(a store.Attachment) (four, six netip.Addr) {
	for _, p := range a.Addresses {
		switch address := p.Addr(); {
		case address.Is4() && !four.IsValid():
			four = address
		case address.Is6() && !six.IsValid():
			six = address
		}
	}
	return four, six
}

// joined returns addresses with commas.
func joined(all []netip.Addr) string {
	texts := make([]string, len(all))
	for i, a := range all {
		texts[i] = a.String()
	}
	return strings.Join(texts, ",")
}
