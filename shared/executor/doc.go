// Package executor is the contract between a davit host and an executor.
//
// An executor is a program that runs OCI workloads on one kind of backend:
// containerd, a bare shim, plain processes. The host starts one process of it per
// configured backend and talks to it over hashicorp/go-plugin and net/rpc. Nothing of
// that wire appears in this package: an author fills in an [Executor], returns a
// [Backend] from Open, and passes the Executor to plugin.Serve.
//
// # Life of a workload
//
//  1. The host writes its intent to disk and creates the output files.
//  2. It calls [Backend.Create]. The workload runs when Create returns.
//  3. The workload ends. The executor calls [Host.Exited] and waits: when the
//     call returns nil the exit is on the host's disk.
//  4. Only now may the executor remove what still keeps the exit and the
//     output (the containerd task, the monitor's record).
//  5. When the output is known to be drained, or known not to be, the executor
//     calls [Host.Released]. Users see the workload as ended from here on.
//  6. The host calls [Backend.Delete] when the user removes the container.
//
// Either side may be killed between any two of these steps. After a restart the host
// calls [Backend.List] and then [Backend.Restore] for what it wants to keep; Restore
// continues with whichever of steps 3 to 5 was interrupted.
//
// # Capabilities
//
// The five methods of Backend are all that is required. Everything else is a
// [Capability]: an optional interface, such as [Pauser], in a file of its own that
// declares both. The plugin kit finds out which of them a Backend has
// ([Capabilities]) and reports them to the host. A part of a request that not every
// executor knows, such as [Ref.Exec], is a capability too: a backend that lacks it is
// never sent one.
//
// # How to add a capability
//
// Pause was added like this, and is the example to follow. Each step is one new file,
// and no list is edited: tests name what is missing.
//
//  1. shared/executor/pause.go: the interface, its duties, and its Capability.
//  2. shared/transport/pause.go: the methods, each one value: name, types, capability,
//     which lock it takes and how long it may take. Its golden bodies are two lines in
//     testdata/bodies.json.
//  3. shared/conformance/checks_pause.go: the duties as checks; in pause_test.go a
//     broken executor for each of them.
//  4. shared/lifecycle/pause.go: what a driver's process offers, and the backend's
//     method over it.
//  5. pause.go in each executor that can do it: the methods of its process.
//  6. host/pause.go: the host's method, which calls the one door (containers.Act).
//  7. host/api/pause.go: the route, the client's method, the types of its events.
//  8. host/internal/cli/pause.go: the command.
//
// From these follow the kit's dispatch, the error of a backend that cannot, which
// names one that can, the published list of routes, the help, and the places at which
// the storm strikes.
//
// # Words
//
//   - A container is what a user asked for. An attempt is one start of it. A [Ref]
//     names an attempt, or a further process of it.
//   - A [Workload] is the request that Create receives. A [Runtime] is a name within
//     a backend for what runs its workloads.
//   - An exit is how a process ended. A lost exit is one that nobody can know.
//   - An attempt has ended when its first process has. It is released when the
//     backend keeps nothing of it but its record. Its output is then complete or
//     truncated.
//   - A record is what is on disk about a container or an attempt.
//   - To adopt a process is to watch and control one that an earlier executor has
//     started.
//   - To delete is the contract's verb for an attempt. Files and other resources are
//     removed. Processes are killed. To destroy an attempt is to kill and delete it.
//
// # Rationale
//
// Why does Create also start? A container that was created but not started has no
// owner when the host dies in between. One step has one outcome.
//
// Why is the end in two phases? Backends forget: containerd drops an exit code
// with its task. If the task were deleted first, a host killed in between would
// have lost the code; if users saw the end before the output had drained,
// `logs` after `wait` would miss the last lines.
//
// Why is the spec bytes? Gob, the encoding of net/rpc, drops pointers to zero values,
// and the OCI spec is full of fields in which zero and absent differ. The JSON is
// encoded once and decoded where it is read.
package executor
