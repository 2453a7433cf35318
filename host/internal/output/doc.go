// Package output manages the output of workloads. It makes the files of each attempt
// and reads them, to the end or as they grow.
//
// Workloads, or the shims that have their pipes, write into plain files that the host
// made; see [Dir]. The host is not in the log path: if it dies, no output is missing,
// delayed or blocked. It reads the files when somebody wants to see the output; see
// [Reader]. When the output came is noted by whoever copies it, if it is davit's own
// shim or monitor: see package notes. Beside that a [Tracker] samples the times where
// nobody notes them, and drops the oldest output beyond a cap.
//
// # Rationale
//
// Why one inotify instance? A user may have 128 of them, fewer than a host may have
// readers. All readers share one [linux.Watcher].
//
// Why are watches armed for one event only? A workload that writes small lines makes
// events by the hundred thousand, which nobody needs while a reader is still reading. A
// reader arms its watch at the end of the file, reads once more, and waits. A file that
// nobody waits for costs nothing.
//
// Why does a Reader return data only when it is asked? So that a slow consumer slows
// nobody but itself. The files are the buffer.
package output
