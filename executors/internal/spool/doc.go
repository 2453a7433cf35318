// Package spool guards the files into which shims write the output of workloads,
// while a shim or a host cannot.
//
// A shim copies from a pipe to the file. When one write fails, because the disk is
// full, it closes the file and never copies again: the workload fills the pipe and
// then hangs in its write, even when there is room again. This was seen with every
// shim of containerd 1.6 to 2.4. A [Guard] notices that, takes over the pipe, and
// continues to copy. Output for which there is no room is discarded and counted,
// since a workload that goes on is worth more than its log. See [executor.Loss].
//
// A Guard also keeps files from growing without end while there is no host to
// drop their oldest part: see [executor.Stream].
//
// At rest a Guard does nothing: the kernel tells it when a shim closes a file, and when
// one that has a limit grows. Only what grows towards its limit is looked at in rounds.
// The shim of davit's own needs no Guard. Its copier, package capture, goes on by itself.
//
// # Limits
//
// What a foreign shim had read when its write failed, up to 32 KiB, is lost. While there
// is neither a shim that copies nor an executor, the workload waits. While there is neither
// an executor nor a host, nobody drops the oldest output of a foreign shim. A Guard cannot help
// a workload with a terminal, whose output does not come from a pipe. Nor can it help
// a workload whose first process had replaced its streams when the Guard first saw
// it, that is, at its start or after a restart of the executor.
//
// # Rationale
//
// How does a Guard know that a copier is dead? The shim does not have the file open
// any more. A pipe that stays full would prove nothing: the shim may be stopped, and
// two readers of one pipe would mix up its output.
//
// Why inotify? Looking at each stream once a second, two system calls a look, took 1.3 %
// of a core for 300 idle containers. A copier that dies closes its file, which is an
// event although nothing was written. An event may come late, but none is lost: a
// stream is watched first and looked at then, and when the kernel drops events, all are
// looked at. A file that cannot be watched, since the user has too many watches, is
// looked at once a second.
//
// Why does a Guard not watch for each write? A workload that writes small lines makes
// events by the hundred thousand. One write is enough to begin with rounds, which end
// when the file does not grow any more.
package spool
