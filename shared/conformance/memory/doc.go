// Package memory is an executor without a backend system. Its workloads run the
// language of package workload, so that hosts, and the conformance suite itself, can
// be tested in milliseconds and without privileges. It fulfils the whole contract of
// [executor.Backend] and all optional interfaces, and is an example of a driver of
// package lifecycle.
//
// A workload's program is process.args of its OCI spec; the rest of the spec is
// ignored. A first word that is no verb is a command that does not exist.
//
// # Two ways to run
//
// Workloads of a [System] are goroutines of the process that made it. They
// outlive the backends that are opened on it and end with the process. The
// program davit-executor-memory runs each workload in a process of its own
// ([NewProcesses]), which outlives the executor as the contract asks for. Either way
// a workload has a directory in StateDir, with its record and, once it has ended, its
// exit; and it listens on a socket in RunDir for as long as it runs.
package memory
