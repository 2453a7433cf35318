package networks

import (
	"context"
	"time"

	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/internal/networks/cni"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

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
