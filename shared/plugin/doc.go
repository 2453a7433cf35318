// Package plugin turns an [executor.Executor] into a program. An executor's main
// is one line:
//
//	func main() { plugin.Serve(myexecutor.Executor()) }
//
// The package does what every executor needs, so that no author has to think of it:
//
//   - it serializes Create, Restore and Delete per container id, so that a call of
//     a host that died cannot race one of the host that followed, and signals per
//     process;
//   - it cancels a Create under way when its container is killed or deleted, so that
//     a start that hangs keeps nobody from that;
//   - it refuses malformed ids, streams and specs, and what needs a capability that
//     the backend does not have, before the executor sees them;
//   - it lets only one process at a time open a backend, even if one was started by
//     hand;
//   - it delivers Exited and Released to whichever host is connected, again and
//     again until one has answered;
//   - it ends the workloads of an ephemeral backend, and the process, when its host
//     is gone and no other comes within two seconds;
//   - it keeps the process alive when the host dies: it ignores SIGPIPE and
//     SIGHUP, and restores the process's own stdout and stderr, which
//     go-plugin replaces by pipes that only a connected host drains.
//
// An executor that is built with this package runs under later davits too: see the
// promise in the documentation of package transport.
//
// Logging: the context of every call carries a logger (hclog.FromContext). What
// it writes shows up in the host's log under the backend's name.
//
// # Rationale
//
// Why can a backend not be opened again with other settings? Containers outlive the
// executor, so a restart of the process is cheap. Code that can be configured twice
// is twice the code.
//
// Why does the executor kill ephemeral workloads, and not a watchdog of the host? The
// executor is there anyway, outlives the host's SIGKILL, and knows what runs. The end
// of the connection shows that the host died, whatever process ids mean to either
// side.
package plugin
