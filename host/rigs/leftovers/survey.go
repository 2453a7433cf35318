package leftovers

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/shared/linux"
	"github.com/google/nftables"
)

// Places are where runtimes and davit keep files of containers, by the patterns of what
// davit's have there. Of sockets, those that nobody has open are meant.
func Places() []string {
	return []string{
		"/run/containerd/s/*",
		"/run/containerd/runc/*/*-??????????",
		"/run/runc/*-??????????",
		"/run/netns/davit*",
		"/run/davit*",
	}
}

// survey lists what davit or a command with a directory for temporary files may have
// left, one line for each. Processes are not in it.
func (l Look) survey(temp string) map[string]bool {
	found := make(map[string]bool)
	add := func(kind, name string) { found[kind+" "+name] = true }
	for _, line := range lines("/proc/self/mountinfo") {
		if f := strings.Fields(line); len(f) > 4 && (strings.Contains(line, temp) || strings.HasPrefix(f[4], "/run/netns/davit") || strings.HasPrefix(f[4], "/run/davit")) {
			add("mount", f[4])
		}
	}
	live := make(map[string]bool)
	for _, line := range lines("/proc/net/unix") {
		if f := strings.Fields(line); len(f) > 7 {
			live[f[7]] = true
			if strings.Contains(f[7], temp) {
				add("socket", f[7])
			}
		}
	}
	for _, pattern := range append(l.Places, filepath.Join(temp, "*")) {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			if !live[name] {
				add("file", name)
			}
		}
	}
	mounts, _ := linux.CgroupMounts()
	for _, m := range mounts {
		for _, dir := range emptyCgroups(m.Dir(l.Cgroups)) {
			add("cgroup", dir)
		}
	}
	files, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, file := range files {
		if of, err := os.ReadFile(file); err == nil && strings.Contains(string(of), temp) {
			add("device", strings.Split(file, "/")[3]+" of "+strings.TrimSpace(string(of)))
		}
	}
	for kind, patterns := range map[string][]string{
		"device": {"/dev/mapper/*davit*"},
		"link":   {"/sys/class/net/*davit*", "/sys/class/net/dv*n[0-9]*", "/sys/class/net/veth???????????"}, // those of package networks
	} {
		for _, pattern := range patterns {
			names, _ := filepath.Glob(pattern)
			for _, name := range names {
				add(kind, name)
			}
		}
	}
	for _, table := range tables() {
		add("table", table)
	}
	return found
}

// tables lists davit's tables of nftables.
func tables() (names []string) {
	c, err := nftables.New()
	if err != nil {
		return nil
	}
	all, _ := c.ListTables() // fails where there is no nftables, and then no table
	for _, t := range all {
		if strings.HasPrefix(t.Name, "davit") {
			names = append(names, t.Name)
		}
	}
	return names
}

func lines(file string) []string {
	text, _ := os.ReadFile(file)
	return strings.Split(string(text), "\n")
}

// emptyCgroups lists the cgroups below one in which there is no process, and none below.
func emptyCgroups(root string) []string {
	var list []string
	busy := make(map[string]bool)
	_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return nil
		}
		list = append(list, path)
		if procs, err := os.ReadFile(filepath.Join(path, "cgroup.procs")); err != nil || len(procs) > 0 {
			for ; len(path) >= len(root); path = filepath.Dir(path) {
				busy[path] = true
			}
		}
		return nil
	})
	var empty []string
	for _, path := range list {
		if path != root && !busy[path] {
			empty = append(empty, path)
		}
	}
	return empty
}
