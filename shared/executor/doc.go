// Package executor is the contract between a davit host and an executor.
//
// An executor is a program that runs OCI workloads on one kind of backend:
// containerd, a bare shim, plain processes. The host starts one process of it
// per configured backend and talks to it over hashicorp/go-plugin and net/rpc.
// Neither side of that wire shows here: an author fills in an [Executor],
// returns a [Backend] from Open, and hands the Executor to plugin.Serve.
//
// # Life of a workload
//
//  1. The host writes its intent to disk and makes the output files.
//  2. It calls [Backend.Create]. The workload runs when Create returns.
//  3. The workload ends. The executor calls [Host.Exited] and waits: when the
//     call returns nil the exit is on the host's disk.
//  4. Only now may the executor delete what still holds the exit and the
//     output (the containerd task, the monitor's record).
//  5. When the output is known to be drained, or known not to be, the executor
//     calls [Host.Released]. Users see the workload as ended from here on.
//  6. The host calls [Backend.Delete] when the user removes the container.
//
// Either side may be killed between any two of these steps. After a restart
// the host calls [Backend.List] and then [Backend.Restore] for what it wants to
// keep; Restore takes up at whichever of steps 3 to 5 was interrupted.
//
// # Upgrades
//
// The five methods of Backend are all that is required. Everything else is an
// optional interface of one method ([RuntimeResolver], [RuntimeLister],
// [Checker], [Closer]). The plugin kit finds by assertion which of them a
// Backend implements and reports their names, so the host never has to guess.
//
// # Rationale
//
// Why does Create also start? A container that was created and not started has
// no owner when the host dies in between. One step has one outcome.
//
// Why is the end in two phases? Backends forget: containerd drops an exit code
// with its task. If the task were deleted first, a host killed in between would
// have lost the code; if users saw the end before the output had drained,
// `logs` after `wait` would miss the last lines.
//
// Why is the spec bytes? Gob, the encoding of net/rpc, drops pointers to zero
// values, and the OCI spec is full of fields in which zero and absent differ.
// The JSON is made once and decoded where it is read.
package executor
