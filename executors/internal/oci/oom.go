package oci

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// OOMSource is where the kernel counts the processes that it killed because a
// cgroup had reached its memory limit. The count can be read until the task is
// deleted, on every shim, and unlike containerd's OOM events it is not lost when
// nobody listens.
type OOMSource struct {
	// File is empty where there is no memory controller.
	File string `json:"file,omitempty"`
	// Before is the count when the workload was about to start.
	Before int64 `json:"before,omitempty"`
}

// OOMSourceOf finds the source for a process.
func OOMSourceOf(pid int) OOMSource {
	file := memoryCgroupFile(pid)
	if file == "" {
		return OOMSource{}
	}
	n, err := oomKills(file)
	if err != nil {
		return OOMSource{}
	}
	return OOMSource{File: file, Before: n}
}

// Killed reports whether the kernel killed since, nil if that cannot be told.
func (s OOMSource) Killed() *bool {
	if s.File == "" {
		return nil
	}
	n, err := oomKills(s.File)
	if err != nil {
		return nil
	}
	killed := n > s.Before
	return &killed
}

// oomKills reads the line "oom_kill N" that both versions of cgroups have.
func oomKills(file string) (int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strconv.ParseInt(strings.TrimSpace(n), 10, 64)
		}
	}
	return 0, fmt.Errorf("%s: no oom_kill", file)
}

func memoryCgroupFile(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return ""
	}
	unified := ""
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		f := strings.SplitN(s.Text(), ":", 3)
		if len(f) != 3 {
			continue
		}
		for _, m := range cgroupMounts() {
			switch {
			case !m.v2 && m.controllers["memory"] && slices.Contains(strings.Split(f[1], ","), "memory"):
				return filepath.Join(m.dir(f[2]), "memory.oom_control")
			case m.v2 && f[0] == "0":
				unified = filepath.Join(m.dir(f[2]), "memory.events")
			}
		}
	}
	return unified
}
