// Package plugin turns an [executor.Executor] into a program. An executor's main
// is one line:
//
//	func main() { plugin.Serve(myexecutor.Executor()) }
//
// The package does what every executor needs and no author should have to think
// of:
//
//   - it serializes Create, Restore, Signal and Delete per container id, so that
//     a call of a host that died cannot race one of the host that followed;
//   - it refuses malformed ids, streams and specs before the executor sees them;
//   - it lets one process at a time open a backend, also when one was started by
//     hand;
//   - it delivers Exited and Released to whichever host is connected, again and
//     again until one has answered;
//   - it ends the workloads of an ephemeral backend, and the process, when its host
//     is gone and no other comes within two seconds;
//   - it keeps the process alive when the host dies: it ignores SIGPIPE and
//     SIGHUP, and gives the process its own stdout and stderr back, which
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
// Why can a backend not be opened again with other settings? Containers outlive
// the executor, so a restart of the process is cheap, and code that can be
// configured twice is twice the code.
//
// Why does the executor end what is ephemeral, and not a watchdog of the host? It
// is there anyway, outlives the host's SIGKILL, and knows what runs. A connection
// that ends says that the host died, whatever process ids mean to either.
package plugin
