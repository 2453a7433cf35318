package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/config"
)

var _ = add(35, "shims", lookAtShims)

// lookAtShims says which runtimes can be named on each backend: those whose shim and program
// are there. Why others that somebody may want cannot be used, the check of the host says.
// Without a host, it looks for the shims that come with containerd.
func lookAtShims(ctx context.Context, p *Patient, r *report) {
	if p.host == nil {
		p.lookForShims(r)
		return
	}
	backends, err := p.Client.Backends(ctx)
	if err != nil {
		r.unread("backends", err)
		return
	}
	for _, b := range backends {
		if b.Description.Runtime == nil {
			continue // it has none to choose from
		}
		all, err := p.Client.Runtimes(ctx, b.Name)
		if err != nil {
			r.unread("backend "+b.Name, err)
			continue
		}
		var usable []string
		for _, one := range all {
			name := one.Name
			if one.Default {
				name += " (the default)"
			}
			if one.Problem == "" {
				usable = append(usable, name)
			}
		}
		if len(usable) == 0 {
			r.fail("davit runtimes "+b.Name+" says why", "backend %s has no runtime that can be used", b.Name)
			continue
		}
		r.ok("backend %s: %s", b.Name, strings.Join(usable, ", "))
	}
}

// containerdShims are programs that come with releases of containerd; each needs one.
var containerdShims = []string{"containerd-shim-runc-v2", "containerd-shim-runc-v1"}

func (p *Patient) lookForShims(r *report) {
	if !slices.ContainsFunc(p.Config.Backends, func(b config.Backend) bool { return b.Executor == "containerd" }) {
		r.ok("no backend needs one from elsewhere")
		return
	}
	var found []string
	for _, shim := range containerdShims {
		if path := p.find(shim); path != "" {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		r.warn("install containerd, or start the host, which asks the daemon where it looks", "no shim of containerd is on the PATH")
		return
	}
	r.ok("%s", strings.Join(found, ", "))
}
