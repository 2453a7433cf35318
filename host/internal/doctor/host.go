package doctor

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/linux"
)

var _ = add(50, "host", lookAtHost)

func lookAtHost(ctx context.Context, p *Patient, r *report) {
	if p.host == nil {
		p.lookAtAbsence(r)
		return
	}
	if p.host.Version != p.Version {
		r.warn("restart the host to upgrade it; containers run on", "it runs with version %s, and this is %s", p.host.Version, p.Version)
	} else {
		r.ok("it runs, pid %d, version %s", p.host.PID, p.host.Version)
	}
	ready, err := p.Client.Ready(ctx, nil)
	if err != nil {
		r.unread("its backends", err)
		return
	}
	if ready.Problem != "" {
		r.fail("see to that, and restart it; containers run on", "it cannot record what happens: %s", ready.Problem)
	}
	for _, b := range ready.Backends {
		switch {
		case b.Ready:
			r.ok("backend %s is ready", b.Name)
		case b.State == api.BackendStarting:
			r.warn("wait, and ask again; its daemon, if it has one, may not answer yet", "backend %s is starting%s", b.Name, because(b.Problem))
		default:
			r.fail(fmt.Sprintf("see to that; davit backend restart %s tries at once", b.Name), "backend %s is %s%s", b.Name, b.State, because(b.Problem))
		}
	}
	if p.Live == nil {
		return
	}
	found, err := p.Live(ctx)
	if err != nil {
		r.unread("what keeps containers from running", err)
	}
	r.diagnostics(found)
}

// lookAtAbsence says why there is no host: none runs, or one does not answer.
func (p *Patient) lookAtAbsence(r *report) {
	if p.forbidden {
		r.add(Unknown, "run davit doctor as root, or as a member of the group that the config names in api", "whether one runs, and how: %v", p.hostErr)
		return
	}
	if pid := linux.LockHolder(filepath.Join(p.Config.RunDir, "host.lock")); pid != "" {
		r.fail("see its log; if it does nothing, restart it: containers run on", "a host runs (%s) and cannot be asked: %v", pid, p.hostErr)
		return
	}
	r.add(Unknown, "run davit serve, and ask again: what only a host can know was not looked at", "none can be asked: %v", p.hostErr)
}

// because returns a reason, if there is one, for the end of a text.
func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

// count returns a number of things.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
