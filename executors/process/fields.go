package process

import (
	"encoding/json"
	"slices"

	"github.com/davit-run/davit/executors/internal/specfields"
	"github.com/davit-run/davit/shared/executor"
)

// fields are the fields of the spec that this executor honours.
var fields = specfields.Filter{
	Workload: "a plain process on the host",
	Honoured: []string{
		"ociVersion",
		"annotations",
		"root.path",
		"process.args",
		"process.env",
		"process.cwd",
		"process.terminal",
		"process.consoleSize",
		"process.user.uid",
		"process.user.gid",
		"process.user.umask",
		"process.user.additionalGids",
		"process.rlimits",
		"process.oomScoreAdj",
		"process.noNewPrivileges",
		"process.capabilities",
		"linux.cgroupsPath",
		"linux.resources.memory.limit",
		"linux.resources.memory.swap",
		"linux.resources.cpu.shares",
		"linux.resources.cpu.quota",
		"linux.resources.cpu.period",
		"linux.resources.pids.limit",
		"linux.seccomp",
	},
}

// contained are the fields that it honours where a process has a root file system, and
// so mounts, of its own.
var contained = specfields.Filter{
	Workload: fields.Workload,
	Honoured: append(slices.Clone(fields.Honoured), "hostname", "mounts", "root.readonly", "linux.maskedPaths", "linux.readonlyPaths"),
}

// filter returns the fields that are honoured for a workload, which has a network namespace of
// its own if netns is set.
func (p *builder) filter(w executor.Workload, netns string) specfields.Filter {
	f := p.rootFilter(w)
	if netns != "" {
		f.NetNS, f.Honoured = true, append(slices.Clip(f.Honoured), "linux.sysctl")
	}
	return f
}

// rootFilter returns the fields that are honoured with the root file system of a workload.
func (p *builder) rootFilter(w executor.Workload) specfields.Filter {
	var spec struct {
		Root struct {
			Path string `json:"path"`
		} `json:"root"`
	}
	ignored := func(field string) bool { return slices.Contains(p.ignore, field) }
	if err := json.Unmarshal(w.Spec, &spec); err != nil || !p.mounts || spec.Root.Path == "" || spec.Root.Path == "/" || ignored("root") || ignored("root.path") {
		return fields
	}
	return contained
}
