package wasm

import "github.com/davit-run/davit/executors/internal/specfields"

// fields are those of the spec that mean something for a module. Some only
// forbid what a module could not do anyway; those say "held".
var fields = specfields.Filter{
	Workload: "a WebAssembly module",
	Honoured: []string{
		"ociVersion",
		"annotations",
		"root.path",
		"root.readonly",
		"mounts", // each is looked at
		"process.args",
		"process.env",
		"process.cwd",
		"process.user.uid",
		"process.user.gid",
		"process.user.umask",
		"process.user.additionalGids",
		"process.oomScoreAdj",
		"process.rlimits",              // each is looked at
		"process.noNewPrivileges",      // held: it cannot run programs
		"process.capabilities",         // held: it has none
		"process.apparmorProfile",      // held: it has no system calls
		"process.selinuxLabel",         // held: likewise
		"linux.seccomp",                // held: likewise
		"linux.resources.pids.limit",   // held: it has no second thread
		"linux.resources.memory.limit", // for its linear memory
	},
}
