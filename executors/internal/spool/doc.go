// Package spool looks after the files into which shims write what workloads
// print, for as long as a shim or a host cannot.
//
// A shim copies from a pipe to the file. When one write fails, because the disk
// is full, it closes the file and copies no more, for good: the workload fills
// the pipe and then hangs in its write, also when there is room again. This was
// seen with every shim of containerd 1.6 to 2.4. A [Guard] notices, takes over the
// pipe, and copies on; what finds no room is discarded and counted, since a
// workload that goes on is worth more than its log. See [executor.Loss].
//
// A Guard also keeps files from growing without end while there is no host to
// drop their oldest part: see [executor.Stream].
//
// # Limits
//
// What the shim had read when its write failed, up to 32 KiB, is gone. While
// there is neither a shim that copies nor an executor, the workload waits. A
// workload with a terminal is not helped: its output does not come from a pipe.
// Nor is one whose first process had replaced its streams when a Guard first saw
// it, that is, at its start or after a restart of the executor.
//
// # Rationale
//
// How is a copier known to be dead? The shim does not have the file open any
// more. A pipe that stays full would prove nothing: the shim may be stopped, and
// two who read one pipe would mix up its output.
//
// Why is nothing watched by inotify? Two system calls a second for a stream cost
// less than the care that lost and late events need, and a copier that dies
// without having written anything changes no file.
package spool
