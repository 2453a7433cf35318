// Package containerd is the reference executor: it runs containers through a
// containerd daemon, 1.6 to 2.x, and through any of its shims.
//
// # Life of a container
//
//   - plan checks the request, and preflight that the daemon can serve the
//     runtime. Nothing is made before both have passed.
//   - Create makes a record with our labels, a task, which is the shim and the
//     container's first process, and a mark in the RunDir; then it starts the
//     task. If containerd dies meanwhile, what is then found says how far it came.
//   - follow waits for the end. It writes the exit to a label of the record and
//     hands it to the host; when both have it, it deletes the task, judges by the
//     time that took whether the output drained, and reports the release.
//   - The record stays until Delete, or until the next attempt takes its place.
//
// An executor that was restarted knows nothing. classify says where an attempt
// stands by its record, its task and its mark, and adopt goes on from there.
//
// # Rationale
//
// Why are no events listened to? They are neither durable nor replayed, come
// twice, and carry an invented 137 when a shim dies. Wait asks for one process, so
// that the exit of an exec cannot be mistaken for the container's.
//
// Why containerd's API and not its client library? It would wrap the same calls.
// In a minimal program it costs 2 MB of binary (13.5 MB, not 11.5) and 4 MB of
// memory (14.9 MB, not 10.7).
//
// Why does every container have a sandbox record? So that containerd 1.7 and
// later keep the exit of one that ends while they are down: see needsShield.
//
// Why is the signal of a death often left out? Shims tell a death by signal n and
// an exit with code 128+n alike. It is given where the cause is known: we sent
// the signal, or the kernel killed for want of memory.
//
// Why is complete output sometimes called truncated? That the shim has come to the
// end of the output can be seen, and then it is complete. Where it cannot, as with
// runtimes that are not runc's or for an attempt that ended while there was no
// executor, the time must tell: a shim gives up draining after 2 or 10 seconds, and
// does not say so.
//
// Why is a merged stream made by a script? A shim copies stdout and stderr from a
// pipe each, so their order is lost, and given one file twice it can lose data.
// See runtimes.Resolved.Binary.
package containerd
