// Package output holds what workloads write: it makes the files of each attempt
// and reads them, to the end or as they grow.
//
// Workloads, or the shims that hold their pipes, write into plain files that the
// host made; see [Dir]. The host is not in the path: its death loses, delays and
// blocks nothing. What it does is to read the files when somebody wants to see
// the output; see [Reader].
//
// # Rationale
//
// Why one inotify instance? A user may have 128 of them, which is fewer than a
// host may have readers. [Watcher] is shared by all.
//
// Why are watches armed for one event only? A workload that writes small lines
// makes events by the hundred thousand, which nobody needs while a reader is
// still reading. A reader arms its watch when it has come to the end, looks once
// more, and waits. What nobody waits for costs nothing.
//
// Why does a Reader hand out what it read only when asked? So that a slow
// consumer slows nobody but itself. The files are the buffer.
package output
