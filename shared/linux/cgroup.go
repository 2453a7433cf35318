package linux

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// CgroupMount is a mounted cgroup hierarchy, or in a container a part of one.
type CgroupMount struct {
	// Unified says that it is of version 2.
	Unified bool
	// Controllers are those of a hierarchy of version 1.
	Controllers []string
	// Root is the path in the hierarchy of what Mountpoint shows.
	Root, Mountpoint string
}

// Has reports whether a controller has its hierarchy of version 1 here.
func (m CgroupMount) Has(controller string) bool { return slices.Contains(m.Controllers, controller) }

// Dir returns the directory of a cgroup, by its path in the hierarchy.
func (m CgroupMount) Dir(path string) string {
	if rel, err := filepath.Rel(m.Root, path); err == nil {
		path = rel
	}
	return filepath.Join(m.Mountpoint, path)
}

// CgroupMounts returns all hierarchies that this process sees.
func CgroupMounts() ([]CgroupMount, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	return ParseCgroupMounts(b), err
}

// ParseCgroupMounts returns the hierarchies in the text of /proc/PID/mountinfo.
func ParseCgroupMounts(mountinfo []byte) []CgroupMount {
	var found []CgroupMount
	for line := range bytes.Lines(mountinfo) {
		// 36 25 0:31 / /sys/fs/cgroup/cpu rw,nosuid shared:9 - cgroup cgroup rw,cpu
		mount, system, _ := strings.Cut(string(line), " - ")
		m, s := strings.Fields(mount), strings.Fields(system)
		if len(m) < 6 || len(s) < 3 || s[0] != "cgroup" && s[0] != "cgroup2" {
			continue
		}
		c := CgroupMount{Unified: s[0] == "cgroup2", Root: unescape(m[3]), Mountpoint: unescape(m[4])}
		if !c.Unified {
			c.Controllers = strings.Split(s[2], ",")
		}
		found = append(found, c)
	}
	return found
}

// unescape replaces \040 and the like, by which the kernel writes white space and
// backslashes in paths.
func unescape(path string) string {
	parts := strings.Split(path, `\`)
	for i, p := range parts[1:] {
		if len(p) >= 3 {
			if c, err := strconv.ParseUint(p[:3], 8, 8); err == nil {
				parts[i+1] = string([]byte{byte(c)}) + p[3:]
				continue
			}
		}
		parts[i+1] = `\` + p
	}
	return strings.Join(parts, "")
}

// CgroupsOf returns the paths of a process's cgroups by the controllers of version
// 1, and that of version 2 by the empty name.
func CgroupsOf(pid int) (map[string]string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	paths := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3); len(f) == 3 {
			for name := range strings.SplitSeq(f[1], ",") {
				paths[name] = f[2]
			}
		}
	}
	return paths, err
}

// LeaveCgroup moves this process out of the cgroups of a name, in each hierarchy into the
// next one above that takes it, and removes those that are empty then.
func LeaveCgroup(name string) {
	of, _ := CgroupsOf(os.Getpid())
	mounts, _ := CgroupMounts()
	for _, m := range mounts {
		controller := "" // of version 2
		if !m.Unified {
			i := slices.IndexFunc(m.Controllers, func(c string) bool { return of[c] != "" })
			if i < 0 {
				continue
			}
			controller = m.Controllers[i]
		}
		if path.Base(of[controller]) == name {
			leave(m.Mountpoint, m.Dir(of[controller]))
		}
	}
}

func leave(root, dir string) {
	for above := filepath.Dir(dir); strings.HasPrefix(above, root); above = filepath.Dir(above) {
		if os.WriteFile(filepath.Join(above, "cgroup.procs"), []byte("0"), 0) == nil {
			break
		}
	}
	_ = os.Remove(dir) // fails unless it is empty
}

// OOMKills reads how many processes the kernel has killed because a cgroup had
// reached its memory limit. file is memory.oom_control of version 1, or
// memory.events of version 2: both have the line "oom_kill N".
func OOMKills(file string) (int64, error) {
	counts, err := MemoryEvents(file)
	n, ok := counts["oom_kill"]
	if err == nil && !ok {
		err = fmt.Errorf("%s: no oom_kill", file)
	}
	return n, err
}

// MemoryEvents reads all counts of such a file.
func MemoryEvents(file string) (map[string]int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for line := range strings.Lines(string(b)) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			counts[name] = n
		}
	}
	return counts, nil
}

// OwnCgroups returns the directories of this process's cgroups in hierarchies of version 1,
// by the mountpoints of those. A mount in which no process has a cgroup is left out.
func OwnCgroups(mounts []CgroupMount) map[string]string {
	dirs := map[string]string{}
	own, _ := CgroupsOf(os.Getpid())
	for _, m := range mounts {
		i := slices.IndexFunc(m.Controllers, func(name string) bool { return own[name] != "" }) // others are options
		if i >= 0 && dirs[m.Mountpoint] == "" {
			dirs[m.Mountpoint] = m.Dir(own[m.Controllers[i]])
		}
	}
	return dirs
}
