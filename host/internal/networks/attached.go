package networks

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/internal/networks/cni"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// first returns the address by which others find a container: the first of IPv4, if there is
// one.
func first(a store.Attachment) (address netip.Addr) {
	for _, p := range a.Addresses {
		if p.Addr().Is4() {
			return p.Addr()
		}
		if !address.IsValid() {
			address = p.Addr()
		}
	}
	return address
}

// recover goes on with what an earlier host has had plugins make. What they were interrupted
// at, or what is gone with its namespace, they take back, and so they do with what they find
// damaged and nobody uses; that is made again. What a running container has is left alone.
func (p *plugins) recover(ctx context.Context) {
	for _, n := range p.networks {
		for _, d := range n.Findings() {
			p.m.logger.Error("a network of the config cannot be made", "network", n.Name, "error", d.String())
		}
	}
	var all []*store.Container
	err := p.m.store.View(func(tx *store.Tx) (err error) {
		all, err = tx.Containers()
		return err
	})
	if err != nil {
		p.m.logger.Error("not all of what plugins have made was looked at", "error", err)
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, recoverParallel)
	has := map[string]bool{}
	for _, c := range all {
		has[c.NetNS()] = true
		if len(c.Attachments) == 0 || ctx.Err() != nil {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := p.recoverOne(ctx, c.NetNS()); err != nil && ctx.Err() == nil {
				p.m.logger.Error("what plugins have made for a container is not as it should be; its next start tries it again, or its removal", "container", c.ID, "error", err)
			}
		})
	}
	wg.Wait()
	if err != nil || ctx.Err() != nil || p.m.store.Info().Incomplete() {
		return
	}
	ids, _ := p.runner.IDs()
	for _, id := range ids {
		if !has[id] {
			p.runner.Forget(id)
		}
	}
	p.collect(ctx)
}

// recoverOne does what recover does for one network namespace.
func (p *plugins) recoverOne(ctx context.Context, netns string) error {
	unlock, err := p.m.spaces.Lock(ctx, netns)
	if err != nil {
		return err
	}
	defer unlock()
	c, err := p.holder(netns)
	if err != nil || c == nil {
		return err
	}
	there := pinned(p.m.Path(netns))
	runs, err := p.m.runs(netns)
	errs := []error{err}
	for _, a := range c.Attachments {
		switch {
		case !there, !a.Made:
			errs = append(errs, p.detach(ctx, netns, a))
		default:
			errs = append(errs, p.recheck(ctx, netns, a, runs || err != nil))
		}
	}
	return errors.Join(errs...)
}

// recheck asks the plugins whether what they have made is there still, and has it made again
// unless a container that has it runs.
func (p *plugins) recheck(ctx context.Context, netns string, a store.Attachment, runs bool) error {
	chain, err := cni.Parse(a.Config)
	if err != nil {
		return err
	}
	what, err := p.attachment(netns, chain, a)
	if err != nil {
		return err
	}
	found := p.runner.Check(ctx, what)
	if ctx.Err() != nil || found == nil && a.Doubt == "" {
		return nil
	}
	a.Doubt = ""
	if found != nil {
		a.Doubt = found.Error()
		p.m.logger.Error("plugins find what they have made for a container damaged", "container", netns, "network", a.Network, "running", runs, "error", found)
	}
	if err := p.record(netns, a, ""); err != nil || found == nil || runs {
		return err
	}
	return p.attach(ctx, netns, a.Link)
}

// collect has plugins that can do so remove what is of no container of this host.
func (p *plugins) collect(ctx context.Context) {
	attached := map[string][]cni.Attached{} // by the name that the plugins know
	err := p.m.store.View(func(tx *store.Tx) error {
		all, err := tx.Containers()
		for _, c := range all {
			for _, a := range c.Attachments {
				chain, perr := cni.Parse(a.Config)
				if perr != nil {
					return perr
				}
				attached[chain.Name()] = append(attached[chain.Name()], cni.Attached{ID: c.NetNS(), IfName: insideName(a.Link)})
			}
		}
		return err
	})
	if err != nil {
		return
	}
	for _, n := range p.networks {
		chain, err := n.load()
		if err == nil {
			err = p.runner.GC(ctx, chain, n.Dirs, attached[chain.Name()])
		}
		if err != nil && ctx.Err() == nil {
			p.m.logger.Warn("plugins were not asked to remove what is of no container", "network", n.Name, "error", err)
		}
	}
}

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

// Resolver returns the name servers that plugins have given a container, with the domains and
// options of resolv.conf; none if they have given none.
func (m *Manager) Resolver(c *store.Container) (servers, search, options []string) {
	for _, l := range c.Leases {
		if a := c.Attachment(l.Link); a != nil && l.Driver == cniDriver && len(a.Servers) > 0 {
			return a.Servers, a.Search, a.Options
		}
	}
	return nil, nil, nil
}

// findings returns what keeps plugins from making networks of the config now, and what they
// have found damaged while containers were running.
func (p *plugins) findings() (diags diag.Diagnostics) {
	const probeTime = 10 * time.Second
	var all []*store.Container
	err := p.m.store.View(func(tx *store.Tx) (err error) {
		for name, n := range p.networks {
			if _, err := tx.Network(name); err == nil {
				diags.Fail(n.At, "rename it in the config, or remove the other with davit network rm", "network %q: there is one of that name that a command has made, which containers get", name)
			}
		}
		all, err = tx.Containers()
		return err
	})
	if err != nil {
		diags.Fail(diag.Range{}, "", "containers on networks of plugins: %v", err)
	}
	ctx, cancel := context.WithTimeout(p.m.ctx, probeTime)
	defer cancel()
	for _, n := range p.networks {
		chain, err := cni.Load(n.Conflist)
		if err != nil {
			diags.Fail(n.At, "", "network %q: conflist: %v", n.Name, err)
			continue
		}
		missing := chain.Missing(n.Dirs)
		for _, err := range missing {
			diags.Fail(n.At, "", "network %q: %v", n.Name, err)
		}
		if len(missing) == 0 {
			if err := p.runner.Probe(ctx, chain, n.Dirs); err != nil {
				diags.Fail(n.At, "", "network %q: %v", n.Name, err)
			}
		}
	}
	for _, c := range all {
		for _, a := range c.Attachments {
			if a.Doubt != "" {
				diags = append(diags, diag.Diagnostic{
					Severity: executor.SeverityWarning,
					Message:  "container " + called(c) + " on network " + a.Network + ": " + a.Doubt,
					Hint:     "its next start has the network made again",
				})
			}
		}
	}
	return diags.Sorted()
}
