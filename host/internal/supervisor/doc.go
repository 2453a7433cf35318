// Package supervisor keeps one executor process per backend: it starts it or
// takes up the one that runs, watches it, and replaces it when it dies or hangs.
//
// Executors outlive the host. A host that starts must therefore find out whether
// the executor of a backend still runs, without ever believing a pid from a file:
//
//   - The executor inherits a descriptor with a lock on the backend's lock file
//     and keeps it for life. Lock free: nobody runs. Lock held: somebody does.
//   - The executor's stdout is a file; go-plugin's handshake line in it leads to
//     the executor's socket, the socket's peer credentials to its pid, and a
//     pidfd keeps that pid from meaning another process later.
//   - A process that holds the lock and cannot be talked to is found by the
//     descriptor that it holds, and killed.
//
// # Rationale
//
// Why not go-plugin's Client? It starts processes with pipes, so that the first
// line an executor logs after the host's death kills it, it reattaches by bare
// pid, and its Close ends the executor for everybody. Its protocol is used as it
// is; its process management is not.
package supervisor
