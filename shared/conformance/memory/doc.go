// Package memory is an executor without a backend system. Its workloads run a
// tiny language of their own, so that hosts, and the conformance suite itself,
// can be tested in milliseconds and without privileges. It honours the whole
// contract of [executor.Backend] and all its upgrades.
//
// # Workloads
//
// A workload's program is process.args of its OCI spec; the rest of the spec is
// ignored. The program is a list of steps, separated by arguments ";". It ends
// with code 0 after its last step.
//
//	print STREAM TEXT  write TEXT and a newline to STREAM, "stdout" or "stderr"
//	count STREAM N     write the numbers 1 to N, each on a line
//	sleep DURATION     as in "1m30s", or a number of seconds
//	await FILE         wait until FILE exists
//	mark FILE TEXT     append TEXT and a newline to FILE
//	ignore SIGNAL      ignore a signal, by number
//	trap SIGNAL CODE   exit with CODE when SIGNAL arrives
//	exit CODE          end with CODE
//	die SIGNAL         end as if killed by SIGNAL
//	oom                end as if killed for want of memory
//	exec PATH          must be the only step: fails in Create as a real command
//	                   would if PATH does not exist or is not executable, else
//	                   ends with code 0
//
// Any other first word is a command that does not exist.
//
// # Two ways to run
//
// Workloads of a [System] are goroutines of the process that made it. They
// outlive the backends that are opened on it and end with the process. The
// program davit-executor-memory runs each workload in a process of its own
// ([NewProcesses]), which outlives the executor as the contract asks for.
package memory
