package process

import "github.com/davit-run/davit/executors/internal/specfields"

// fields are those of the spec that mean here what they say.
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
	},
}
