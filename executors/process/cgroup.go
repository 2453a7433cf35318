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
	"github.com/moby/sys/mountinfo"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// The controllers that are used. Memory tells of kills for want of it, and pids
// keeps what is to be killed from multiplying; so these two are used always.
const (
	memory = "memory"
	pids   = "pids"
	cpu    = "cpu"
)

// cgroups is where a backend's cgroups are.
type cgroups struct {
	// dirs holds the directory of the root of each controller's hierarchy, for
	// the controllers that can be used. With v2 they are all the same.
	dirs map[string]string
	// homes holds the directory of the executor's own cgroup in each of version 1.
	homes   map[string]string
	v2      bool
	parent  string // of containers, a path in the hierarchies
	problem string // why a controller cannot be used
}

// openCgroups makes the parents of the cgroups of containers, as far as it may.
func openCgroups(owner oci.Owner, parent string) *cgroups {
	if parent == "" {
		parent = filepath.Dir(owner.Cgroup("", "x", false))
	}
	c := &cgroups{dirs: map[string]string{}, homes: ownCgroups(), parent: parent, problem: "there is no cgroup controller for it on this machine"}
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		c.problem = err.Error()
		return c
	}
	for _, m := range mounts {
		options := strings.Split(m.VFSOptions, ",")
		for _, name := range []string{memory, pids, cpu} {
			if m.FSType != "cgroup" || !slices.Contains(options, name) {
				continue
			}
			if err := os.MkdirAll(filepath.Join(m.Mountpoint, parent), 0o755); err != nil {
				c.problem = err.Error()
				continue
			}
			home, err := filepath.Rel(m.Root, c.homes[name])
			if err != nil {
				c.problem = err.Error()
				continue
			}
			c.dirs[name], c.homes[name] = m.Mountpoint, filepath.Join(m.Mountpoint, home)
		}
	}
	if len(c.dirs) == 0 {
		for _, m := range mounts {
			if m.FSType == "cgroup2" {
				c.openUnified(m.Mountpoint)
			}
		}
	}
	return c
}

// ownCgroups gives the path of this process's cgroup by the controllers of
// version 1.
func ownCgroups() map[string]string {
	own := map[string]string{}
	b, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(b)) {
		if f := strings.SplitN(strings.TrimSpace(line), ":", 3); len(f) == 3 {
			for name := range strings.SplitSeq(f[1], ",") {
				own[name] = f[2]
			}
		}
	}
	return own
}

// openUnified makes the parents in a hierarchy of version 2, and hands the
// controllers down to them.
func (c *cgroups) openUnified(mountpoint string) {
	dir := mountpoint
	for part := range strings.SplitSeq(c.parent, "/") {
		dir = filepath.Join(dir, part)
		if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
			c.problem = err.Error()
			return
		}
		for _, name := range []string{memory, pids, cpu} {
			// Fails where processes are, and where the controller is not.
			_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+name), 0)
		}
	}
	c.v2 = true
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	if err != nil {
		c.problem = err.Error()
	}
	for _, name := range []string{memory, pids, cpu} {
		if slices.Contains(strings.Fields(string(b)), name) {
			c.dirs[name] = mountpoint
		}
	}
}

// close removes the parents where they are empty.
func (c *cgroups) close() {
	for _, root := range c.dirs {
		_ = os.Remove(filepath.Join(root, c.parent))
	}
}

// limit is a value for a controller's file, under the names that it has in the
// two versions.
type limit struct {
	field, controller string
	v1, v2            string
	value, valueV2    string
}

// plan gives the cgroup of a container. One that a spec names is taken as the
// parent, so that no cgroup holds processes of others.
func (c *cgroups) plan(l *specs.Linux, cid string) (monitor.Cgroup, error) {
	var g monitor.Cgroup
	if l == nil {
		l = new(specs.Linux)
	}
	parent := c.parent
	if p := l.CgroupsPath; p != "" {
		if strings.Contains(p, ":") || slices.Contains(strings.Split(p, "/"), "..") {
			return g, executor.Errorf(executor.Unsupported, `linux.cgroupsPath: %q is not a plain path; give one such as /davit`, p)
		}
		parent = filepath.Join("/", p)
		if !filepath.IsAbs(p) {
			parent = filepath.Join(c.parent, p)
		}
	}
	limits := limitsOf(l.Resources)
	for _, v := range limits {
		if c.dirs[v.controller] == "" {
			return g, executor.Errorf(executor.Unsupported, `%s: %s; leave the limit out, or add %q to "ignore" in the backend's config`, v.field, c.problem, v.field)
		}
	}
	for _, name := range []string{memory, pids, cpu} {
		used := name != cpu || slices.ContainsFunc(limits, func(v limit) bool { return v.controller == cpu })
		dir := monitor.CgroupDir{Path: filepath.Join(c.dirs[name], parent, cid), Home: c.homes[name]}
		if c.v2 {
			dir.Home = ""
		}
		if c.dirs[name] != "" && used && !slices.Contains(g.Dirs, dir) {
			g.Dirs = append(g.Dirs, dir)
		}
	}
	if root := c.dirs[memory]; root != "" {
		g.OOM = filepath.Join(root, parent, cid, map[bool]string{false: "memory.oom_control", true: "memory.events"}[c.v2])
	}
	for _, v := range limits {
		file, value := v.v1, v.value
		if c.v2 {
			file, value = v.v2, v.valueV2
		}
		g.Files = append(g.Files, monitor.CgroupFile{Path: filepath.Join(c.dirs[v.controller], parent, cid, file), Value: value})
	}
	return g, nil
}

// limitsOf gives the limits that a spec asks for, in the order in which they can
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
