package networks

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/internal/networks/cni"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// CNI is a network of the config that plugins make.
type CNI struct {
	Name string
	// Conflist is the path of the file that lists the plugins, and Dirs are where their
	// programs are.
	Conflist string
	Dirs     []string
	// At is the network's place in the config.
	At diag.Range
}

// load reads the list of plugins.
func (n CNI) load() (*cni.Chain, error) {
	chain, err := cni.Load(n.Conflist)
	if err != nil {
		return nil, executor.Errorf(cmp.Or(codeOf(err), executor.FailedPrecondition), "network %s%s: conflist: %w", n.Name, place(n.At), err)
	}
	return chain, nil
}

// Findings returns what is wrong with the list of plugins. It runs nothing.
func (n CNI) Findings() diag.Diagnostics {
	var diags diag.Diagnostics
	if _, err := cni.Load(n.Conflist); err != nil {
		diags.Fail(n.At, "", "network %q: conflist: %v", n.Name, err)
	}
	return diags
}

// codeOf returns the code of an error that has one that says what to do.
func codeOf(err error) executor.Code {
	if code := executor.CodeOf(err); code != executor.Internal {
		return code
	}
	return ""
}

// place returns a place in the config as a message has it.
func place(at diag.Range) string {
	if at.File == "" {
		return ""
	}
	return " (" + at.String() + ")"
}

// cniDriver is the name of the driver in leases.
const cniDriver = "cni"

// plugins is the driver of the networks that plugins of CNI make.
type plugins struct {
	m        *Manager
	networks map[string]CNI
	runner   *cni.Runner
}

func (p *plugins) has(_ *store.Tx, network string) (bool, error) {
	_, ok := p.networks[network]
	return ok, nil
}

func (p *plugins) list(tx *store.Tx) ([]api.Network, error) {
	list := []api.Network{}
	for name := range p.networks {
		if _, err := tx.Network(name); err == nil {
			continue // a network of a command has the name, and findings says so
		}
		n, err := p.show(tx, name)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

func (p *plugins) show(tx *store.Tx, network string) (api.Network, error) {
	n := p.networks[network]
	shown := api.Network{Name: n.Name, Driver: cniDriver, Conflist: n.Conflist, Containers: []api.NetworkMember{}}
	all, err := tx.Containers()
	for _, c := range all {
		for _, l := range c.Leases {
			if l.Network == network && l.Driver == cniDriver {
				shown.Containers = append(shown.Containers, api.NetworkMember{ID: c.ID, Name: c.Name, Address: l.Address, Address6: l.Address6})
			}
		}
	}
	slices.SortFunc(shown.Containers, func(a, b api.NetworkMember) int { return a.Address.Compare(b.Address) })
	return shown, err
}

// check refuses what the plugins could not do, as far as that can be known.
func (p *plugins) check(_ context.Context, wish store.Lease) error {
	n := p.networks[wish.Network]
	chain, err := n.load()
	if err != nil {
		return err
	}
	if missing := chain.Missing(n.Dirs); len(missing) > 0 {
		return executor.Errorf(executor.FailedPrecondition, "network %s%s: %w", n.Name, place(n.At), missing[0])
	}
	if asked := wish.Addresses(); len(asked) > 0 && !chain.Has(cni.CapIPs) {
		return executor.Errorf(executor.Invalid, "an address (%s) is given, and no plugin of network %s (%s) takes one: none has the capability %s; leave it out", asked[0], n.Name, n.Conflist, cni.CapIPs)
	}
	return p.m.store.View(func(tx *store.Tx) error {
		_, err := p.lease(tx, wish)
		return err
	})
}

// lease leaves it to the plugins which address the container gets, unless it asks for one.
func (p *plugins) lease(tx *store.Tx, wish store.Lease) (store.Lease, error) {
	wish.Driver, wish.Want, wish.Want6 = cniDriver, wish.Address, wish.Address6
	owners, err := tx.Leases(wish.Network)
	for _, address := range wish.Addresses() {
		if owner := owners[address]; err == nil && owner != "" {
			err = executor.Errorf(executor.AlreadyExists, "address %s is that of container %s; choose another one, or remove that container", address, owner)
		}
	}
	return wish, err
}

// up runs the plugins for the leases for which they were not, or not to the end.
func (p *plugins) up(ctx context.Context, s *space, leases []store.Lease) error {
	for _, l := range leases {
		if l.Driver != cniDriver {
			continue
		}
		if err := p.attach(ctx, s.id, l.Link); err != nil {
			return fmt.Errorf("network %s: %w", l.Network, err)
		}
	}
	return nil
}

// down has the plugins take back what they have made.
func (p *plugins) down(ctx context.Context, netns string) error {
	c, err := p.holder(netns)
	if err != nil || c == nil {
		return err
	}
	for _, a := range slices.Backward(c.Attachments) {
		if err := p.detach(ctx, netns, a); err != nil {
			return fmt.Errorf("network %s: %w", a.Network, err)
		}
	}
	return nil
}
