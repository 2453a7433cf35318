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
// # Trust
//
// An executor is believed to be the program that was installed, and nothing else.
// Its file is looked for in configured directories alone, and neither it nor any
// directory or link on the way may belong to a stranger or be writable by one
// (package trust). What runs is a copy, whose digest is checked while it is made,
// so that it is of no use to swap the file at any time (see Programs). The process
// gets a few variables and descriptors and, if the config names one, a user of its
// own. On every connection the kernel says which process and user is at the other
// end; whoever is not the executor is told nothing.
//
// # Rationale
//
// Why does an executor not check who connects to it? The kernel does: as soon as
// the socket is there, its directory belongs to the host with mode 0700, so that
// not even workloads which run as the executor's user get to it.
//
// Why not go-plugin's Client? It starts processes with pipes, so that the first
// line an executor logs after the host's death kills it, it reattaches by bare
// pid, and its Close ends the executor for everybody. Its protocol is used as it
// is; its process management is not.
package supervisor
