package wasm

import "github.com/davit-run/davit/executors/internal/specfields"

// fields are the fields of the spec that mean something for a module. Some only
// forbid what a module cannot do anyway; those say "implied".
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
		"process.noNewPrivileges",      // implied: it cannot run programs
		"process.capabilities",         // implied: it has none
		"process.apparmorProfile",      // implied: it has no system calls
		"process.selinuxLabel",         // implied: likewise
		"linux.seccomp",                // implied: likewise
		"linux.resources.pids.limit",   // implied: it has no second thread
		"linux.resources.memory.limit", // for its linear memory
	},
}
