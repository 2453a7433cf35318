// Package supervisor keeps one executor process per backend. It starts the process or
// connects to one that still runs, watches it, and replaces it when it dies or hangs.
//
// Executors outlive the host. A host that starts must therefore find out whether the
// executor of a backend still runs, without trusting a pid from a file:
//
//   - The executor inherits a descriptor with a lock on the backend's lock file and
//     keeps it for life. If the lock is free, no executor runs; if it is taken, one does.
//   - The executor's stdout is a file. The handshake line of go-plugin in it names the
//     executor's socket. The socket's peer credentials name its pid, and a pidfd keeps
//     that pid from meaning another process later.
//   - A process that has the lock and does not answer is found by its descriptor of the
//     lock file, and killed.
//
// # Trust
//
// The host runs the program that was installed as an executor, and nothing else. It
// looks for the file only in the configured directories. Neither the file nor any
// directory or link on the way may belong to another user or be writable by one
// (package trust). The host runs a copy and checks the digest while it copies, so that
// replacing the file at any moment achieves nothing (see Programs). The process gets a
// few variables and descriptors and, if the config names one, a user of its own. On
// every connection the kernel says which process and user is at the other end; the host
// sends nothing to a peer that is not the executor.
//
// # Rationale
//
// Why does an executor not check who connects to it? The kernel does: as soon as the
// socket exists, its directory belongs to the host with mode 0700. Not even workloads
// that run as the executor's user can reach it.
//
// Why not go-plugin's Client? It starts processes with pipes, so that the first line
// that an executor logs after the host's death kills it. It reattaches by bare pid. Its
// Close ends the executor for everybody. The host uses its protocol and not its process
// management.
package supervisor
