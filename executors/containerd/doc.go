// Package containerd is the reference executor: it runs containers through a
// containerd daemon, 1.6 to 2.x, and through any of its shims.
//
// # Life of a container
//
// The executor is a driver of package lifecycle, which decides what happens when.
//
//   - plan checks the request, and preflight that the daemon can serve the
//     runtime. Nothing is made before both have passed.
//   - Start makes a record with our labels, a task, which is the shim and the
//     container's first process, and a mark in the RunDir; then it starts the
//     task. If containerd dies meanwhile, what is then found shows how far it came.
//   - Wait waits for the end. Record writes the exit to a label of the record while
//     the host is notified; when both have it, Release deletes the task, and judges by the
//     time that took whether the output drained.
//   - The record stays until Remove.
//
// Further processes have records of the executor's own: see package execs.
//
// An executor that was restarted knows nothing. classify determines where an attempt
// stands by its record, its task and its mark.
//
// # Images of containerd's own
//
// The root file system of a container can be made from an image that the daemon has: see
// [executor.ImageKeeper]. It is a snapshot of the daemon's that belongs to a lease, both
// with the container's name and our labels. The lease is made before the snapshot, and with
// it everything goes at once: it is all that has to be found after a kill at any step. The
// daemon unpacks an image that is not unpacked, for its image, as its own client would.
//
// The snapshot is mounted in the StateDir, and runc's shims find it there. What only the
// daemon can mount, or only it could see, is handed over with the task instead, and so is
// the snapshot of a shim of unknown kind: see layRoot.
//
// # Rationale
//
// Why does no container's record name its snapshot? A record lasts for an attempt, and the
// snapshot over all of them; and the image may be in another namespace. The lease keeps it
// from garbage collection alone.
//
// Why does the executor not subscribe to events? They are neither durable nor
// replayed, come twice, and carry an invented 137 when a shim dies. Wait is about one
// process, so that the exit of an exec cannot be mistaken for the container's.
//
// Why containerd's API and not its client library? The library would wrap the same
// calls. In a minimal program it costs 2 MB of binary (13.5 MB, not 11.5) and 4 MB of
// memory (14.9 MB, not 10.7).
//
// Why does every container have a sandbox record? So that containerd 1.7 and later
// keep the exit of a container that ends while they are down: see needsShield.
//
// Why is the signal of a death often left out? Shims report a death by signal n and
// an exit with code 128+n alike. The signal is reported where the cause is known: we
// sent it, or the kernel killed the process for want of memory.
//
// Why is complete output sometimes called truncated? Output is complete if the shim
// was seen to reach its end. Where that cannot be seen, as with runtimes that are not
// runc's or for an attempt that ended while there was no executor, only the time
// shows it: a shim stops draining after 2 or 10 seconds, and does not say so.
//
// Why is a merged stream made by a script? A shim copies stdout and stderr from a
// pipe each, so their order is lost. With one file for both it can lose data. See
// runtimes.Resolved.Binary.
package containerd
