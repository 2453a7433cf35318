package networks

import (
	"context"
	"errors"
	"sync"

	"github.com/davit-run/davit/host/internal/networks/cni"
	"github.com/davit-run/davit/host/internal/store"
)

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
