package process

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// The controllers that are used. memory shows kills for want of it, pids keeps
// processes from forking while they are killed, and freezer pauses. In version 2 every
// cgroup can be frozen.
const (
	memory  = "memory"
	pids    = "pids"
	cpu     = "cpu"
	freezer = "freezer"
	cpuset  = "cpuset"
)

// cgroups says where a backend's cgroups are.
type cgroups struct {
	// all has each hierarchy. A workload leaves its executor's cgroups in all of them, so
	// that whatever is done to those does not affect it.
	all []hierarchy
	// homes, if set, returns the directories of the executor's own cgroups in the hierarchies
	// of version 1, by their roots. systemd moves processes to others at times: when it makes
	// a scope that needs a controller which nobody needed before.
	homes func() map[string]string
	// dirs has the directory of the root of each controller's hierarchy, for the
	// controllers that can be used. With v2 they are all the same.
	dirs    map[string]string
	unified string // the root of the hierarchy of version 2, if that is used
	parent  string // of containers, a path in the hierarchies
	own     *oci.Parent
	problem string // why a controller cannot be used
}

// hierarchy is a hierarchy of cgroups, or as much of it as is mounted.
type hierarchy struct {
	root   string // directory
	cpuset bool
}

// openCgroups finds out where the parents of the cgroups of containers can be created.
func openCgroups(owner oci.Owner, parent string) *cgroups {
	if parent == "" {
		parent = filepath.Dir(owner.Cgroup("", "x", false))
	}
	c := &cgroups{dirs: map[string]string{}, parent: parent, problem: "there is no cgroup controller for it on this machine"}
	c.own = oci.NewParent(c.removeParents)
	mounts, err := linux.CgroupMounts()
	if err != nil {
		c.problem = err.Error()
		return c
	}
	c.homes = func() map[string]string { return linux.OwnCgroups(mounts) }
	homes := c.homes()
	for _, m := range mounts {
		if slices.ContainsFunc(c.all, func(h hierarchy) bool { return h.root == m.Mountpoint }) {
			continue
		}
		if err := os.MkdirAll(filepath.Join(m.Mountpoint, parent), 0o755); err != nil {
			c.problem = err.Error()
			continue
		}
		h := hierarchy{root: m.Mountpoint}
		if !m.Unified {
			if homes[m.Mountpoint] == "" {
				continue
			}
			h.cpuset = m.Has(cpuset)
		}
		c.all = append(c.all, h)
		for _, name := range []string{memory, pids, cpu, freezer} {
			if m.Has(name) {
				c.dirs[name] = m.Mountpoint
			}
		}
	}
	if c.dirs[memory]+c.dirs[pids]+c.dirs[cpu] == "" {
		delete(c.dirs, freezer)
		for _, m := range mounts {
			if m.Unified {
				c.openUnified(m.Mountpoint)
			}
		}
	}
	c.own.Tidy()
	return c
}

// hold makes the parents, and keeps them until release is called. In version 1 they are
// made with what is below.
func (c *cgroups) hold() (release func()) {
	release = c.own.Hold()
	if c.unified != "" {
		_, _ = c.makeUnified() // making what is below shows an error
	}
	return release
}

// openUnified finds out which controllers there are in a hierarchy of version 2.
func (c *cgroups) openUnified(mountpoint string) {
	c.unified = mountpoint
	dir, err := c.makeUnified()
	if err != nil {
		c.problem = err.Error()
		return
	}
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	if err != nil {
		c.problem = err.Error()
	}
	for _, name := range []string{memory, pids, cpu} {
		if slices.Contains(strings.Fields(string(b)), name) {
			c.dirs[name], c.dirs[freezer] = mountpoint, mountpoint
		}
	}
}

// makeUnified creates the parents in the hierarchy of version 2, and enables the
// controllers for them.
func (c *cgroups) makeUnified() (dir string, err error) {
	dir = c.unified
	for part := range strings.SplitSeq(c.parent, "/") {
		dir = filepath.Join(dir, part)
		if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
			return dir, err
		}
		for _, name := range []string{memory, pids, cpu} {
			// This fails in a cgroup with processes, and without the controller.
			_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+name), 0)
		}
	}
	return dir, nil
}

// freezes reports whether containers can be paused.
func (c *cgroups) freezes() bool { return c.dirs[freezer] != "" }

// removeParents removes the parents where they are empty.
func (c *cgroups) removeParents() {
	for _, h := range c.all {
		_ = os.Remove(filepath.Join(h.root, c.parent))
	}
}

// limit is a value for a controller's file, with the file's names in both versions.
type limit struct {
	field, controller string
	v1, v2            string
	value, valueV2    string
}

// of returns the cgroup of a container. If a spec names one, that becomes the parent,
// so that no cgroup has processes of others.
func (c *cgroups) of(l *specs.Linux, cid string) (monitor.Cgroup, error) {
	var g monitor.Cgroup
	if l == nil {
		l = new(specs.Linux)
	}
	parent, relative := c.parent, false
	if p := l.CgroupsPath; p != "" {
		if strings.Contains(p, ":") || slices.Contains(strings.Split(p, "/"), "..") {
			return g, executor.Errorf(executor.Unsupported, `linux.cgroupsPath: %q is not a plain path; give one such as /davit`, p)
		}
		parent = filepath.Join("/", p)
		if relative = !filepath.IsAbs(p); relative {
			parent = filepath.Join(c.parent, p)
		}
	}
	limits, err := c.limits(l.Resources)
	if err != nil {
		return g, err
	}
	var homes map[string]string
	if c.homes != nil {
		homes = c.homes()
	}
	for _, h := range c.all {
		dir := monitor.CgroupDir{Path: filepath.Join(h.root, parent, cid), Home: homes[h.root]}
		if h.cpuset {
			dir.Cpuset = h.root
		}
		if relative {
			dir.Top = filepath.Join(h.root, c.parent)
		}
		g.Dirs = append(g.Dirs, dir)
	}
	if root := c.dirs[memory]; root != "" {
		g.OOM = filepath.Join(root, parent, cid, map[bool]string{false: "memory.oom_control", true: "memory.events"}[c.unified != ""])
	}
	if c.freezes() {
		g.Freezer = filepath.Join(c.dirs[freezer], parent, cid)
	}
	for _, v := range limits {
		g.Files = append(g.Files, monitor.CgroupFile{Path: filepath.Join(v.Root, parent, cid, v.File), Value: v.Value})
	}
	return g, nil
}

// limits returns the limits that a spec asks for, or an error if one cannot be set here.
func (c *cgroups) limits(r *specs.LinuxResources) (list []monitor.Limit, err error) {
	for _, v := range limitsOf(r) {
		root := c.dirs[v.controller]
		if root == "" {
			return nil, executor.Errorf(executor.Unsupported, `%s: %s; leave the limit out, or add %q to "ignore" in the backend's config`, v.field, c.problem, v.field)
		}
		l := monitor.Limit{Root: root, File: v.v1, Value: v.value}
		if c.unified != "" {
			l.File, l.Value = v.v2, v.valueV2
		}
		list = append(list, l)
	}
	return list, nil
}

// limitsOf returns the limits that a spec asks for, in the order in which they can
// be set.
func limitsOf(r *specs.LinuxResources) []limit {
	var list []limit
	add := func(field, controller, v1, v2, value, valueV2 string) {
		list = append(list, limit{field: "linux.resources." + field, controller: controller, v1: v1, v2: v2, value: value, valueV2: valueV2})
	}
	if r == nil {
		return nil
	}
	if m := r.Memory; m != nil {
		if m.Limit != nil {
			add("memory.limit", memory, "memory.limit_in_bytes", "memory.max", number(*m.Limit), orMax(*m.Limit))
		}
		if m.Swap != nil {
			swap := *m.Swap
			if swap > 0 && m.Limit != nil { // version 2 counts swap alone
				swap -= max(0, *m.Limit)
			}
			add("memory.swap", memory, "memory.memsw.limit_in_bytes", "memory.swap.max", number(*m.Swap), orMax(swap))
		}
	}
	if p := r.Pids; p != nil && p.Limit != nil && *p.Limit != 0 {
		add("pids.limit", pids, "pids.max", "pids.max", orMax(*p.Limit), orMax(*p.Limit))
	}
	if q := r.CPU; q != nil {
		if q.Shares != nil && *q.Shares != 0 {
			weight := 1 + (max(2, *q.Shares)-2)*9999/262142
			add("cpu.shares", cpu, "cpu.shares", "cpu.weight", fmt.Sprint(*q.Shares), fmt.Sprint(weight))
		}
		period := uint64(100_000)
		if q.Period != nil && *q.Period != 0 {
			period = *q.Period
			add("cpu.period", cpu, "cpu.cfs_period_us", "cpu.max", fmt.Sprint(period), "max "+fmt.Sprint(period))
		}
		if q.Quota != nil && *q.Quota != 0 {
			add("cpu.quota", cpu, "cpu.cfs_quota_us", "cpu.max", number(*q.Quota), orMax(*q.Quota)+" "+fmt.Sprint(period))
		}
	}
	return list
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// orMax writes a limit as version 2 does, where -1 is none.
func orMax(n int64) string {
	if n < 0 {
		return "max"
	}
	return number(n)
}
