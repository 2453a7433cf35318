package oci

import (
	"path/filepath"

	"github.com/davit-run/davit/shared/linux"
)

// OOMSource says where the kernel counts the processes that it killed because a
// cgroup had reached its memory limit. The count can be read until the task is
// deleted, on every shim, and unlike containerd's OOM events it is not lost when
// nobody listens.
type OOMSource struct {
	// File is empty where there is no memory controller.
	File string `json:"file,omitempty"`
	// Before is the count when the workload was about to start.
	Before int64 `json:"before,omitempty"`

	watch *oomWatch
}

// oomControl is the file of version 1.
const oomControl = "memory.oom_control"

// OOMSourceOf finds the source for a process.
func OOMSourceOf(pid int) OOMSource {
	file := memoryCgroupFile(pid)
	if file == "" {
		return OOMSource{}
	}
	n, err := linux.OOMKills(file)
	if err != nil {
		return OOMSource{}
	}
	return OOMSource{File: file, Before: n}
}

// Killed reports whether the kernel has killed a process since, nil if that is not
// known. sigkill says that the container's first process was killed, by whomever.
func (s OOMSource) Killed(sigkill bool) *bool {
	if s.File == "" {
		return nil
	}
	n, err := linux.OOMKills(s.File)
	switch {
	case err == nil:
		killed := n > s.Before
		return &killed
	case s.watch != nil:
		return s.watch.killed(s.Before, sigkill)
	}
	return nil
}

// Forget ends the watch of [OOMWatcher.Watch], if there is one.
func (s OOMSource) Forget() {
	if s.watch != nil {
		s.watch.forget()
	}
}

func memoryCgroupFile(pid int) string {
	paths, err := linux.CgroupsOf(pid)
	if err != nil {
		return ""
	}
	unified := ""
	for _, m := range cgroupMounts() {
		if path, ok := paths["memory"]; ok && m.Has("memory") {
			return filepath.Join(m.Dir(path), oomControl)
		}
		if path, ok := paths[""]; ok && m.Unified {
			unified = filepath.Join(m.Dir(path), "memory.events")
		}
	}
	return unified
}
