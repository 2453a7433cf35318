package doctor

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/shared/linux"
)

var _ = add(95, "leftovers", lookAtLeftovers)

// lookAtLeftovers looks for what hosts have left that are gone.
func lookAtLeftovers(ctx context.Context, p *Patient, r *report) {
	if p.forbidden {
		r.add(Unknown, "run davit doctor as root", "the host may not be asked")
		return
	}
	if p.host == nil {
		p.lookAtOrphans(r)
		return
	}
	strays, err := p.Client.Strays(ctx)
	switch {
	case err != nil:
		r.unread("strays", err)
	case len(strays) == 0:
		r.ok("there is nothing of hosts that are gone")
	}
	for i, s := range strays {
		const most = 5
		if i == most {
			r.warn("davit ps --strays lists all of them", "and %s more", count(len(strays)-most, "stray"))
			break
		}
		remedy := "davit adopt " + s.ID + " takes it over, davit rm --stray " + s.ID + " removes it"
		if s.Problem != "" {
			remedy = "davit rm --stray " + s.ID + " removes it; it cannot be adopted: " + s.Problem
		}
		r.warn(remedy, "%s %s: %s", s.Kind, s.ID, s.What)
	}
}

// lookAtOrphans counts the processes in the cgroups of a host that does not run.
func (p *Patient) lookAtOrphans(r *report) {
	if p.Config.Cgroup == config.CgroupOff {
		return
	}
	mountinfo, err := p.read("/proc/self/mountinfo")
	if err != nil {
		r.unread("mounts", err)
		return
	}
	alive := map[string]bool{}
	for _, m := range linux.ParseCgroupMounts([]byte(mountinfo + "\n")) {
		root := p.at(m.Dir(p.Config.Cgroup))
		_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error { // one that goes meanwhile has no processes
			if err == nil && d.Name() == "cgroup.procs" {
				b, _ := os.ReadFile(path)
				for pid := range strings.FieldsSeq(string(b)) {
					alive[pid] = true
				}
			}
			return nil
		})
	}
	if len(alive) > 0 {
		r.warn("start the host: it goes on with what is its own, and davit ps --strays lists what is nobody's",
			"%s in the cgroup %s: executors and containers of this host, which does not run, or of another", processes(len(alive)), p.Config.Cgroup)
		return
	}
	r.ok("no process runs in the cgroup %s", p.Config.Cgroup)
}

// processes returns a number of processes.
func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return count(n, "processe")
}
