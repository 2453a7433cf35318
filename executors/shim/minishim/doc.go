// Package minishim is davit's own shim for runc: the parent of one container's
// processes, which carries their output and knows their exits. It speaks containerd's
// task API, so that for the rest of the executor it is a shim like any other.
//
// # Verbs
//
// The verbs that it serves are one table, [verbs], and each has a file. A verb
// either runs the OCI runtime's command of that purpose, with the container's root
// and the rest of what it was created with, or takes a shortcut:
//
//	Create, Exec's Start     runc create, runc exec
//	Start after a checkpoint runc restore
//	Pause, Resume            runc pause, runc resume
//	Pids, Update, Checkpoint runc ps, runc update, runc checkpoint
//	Start, Delete            shortcuts, else runc start, runc delete: see [state]
//	Kill                     a shortcut where the process is the workload's own
//	Stats                    read from the cgroups
//	ResizePty, CloseIO       done to the streams
//	State, Wait, Connect     answered from memory
//
// To add a verb, add a file with a method of service, and a line in the table.
//
// # Streams
//
// Stdin ends with CloseIO, and not when a writer closes it: the next writer may be a
// host that was started again. When its stdin ends, a terminal is hung up. Output to
// a file is always appended. Output for which the disk has no room is discarded and
// counted: see package capture.
//
// # Processes
//
// An exec that cannot be started has ended with status 255, and the error of its
// Start says why. Its Delete forgets it, as with others, but does not end the output of
// those whom it has left behind. An exec that runs when the
// first process ends is killed by the kernel or, where the container has no PID
// namespace of its own, by runc kill --all.
//
// Signals to a paused container wait until it is resumed. SIGKILL to its first
// process does not: on cgroup v1 it acts at the thaw, and the runtime is called for
// that whether its kill thaws or not. On v1, SIGKILL to an exec waits like the
// others.
//
// # Rationale
//
// Why another shim, when containerd's can be linked in? A container that does
// next to nothing costs its process starts. Of the three starts of runc that
// other shims need, this one needs the first: see [state]. In one run, alternating,
// /bin/true through the executor took 1.6 times as long as bare `runc run` with
// this shim, and 3.1 times with containerd's linked into the same program, as it once
// was (medians on two busy cores). Its own memory, without the program's text, is
// 2.4 MB, of containerd's 3.5 to 4 MB.
//
// What do the verbs cost those who do not use them? Nothing measurable: latency and
// memory are the same as before there were more than seven.
//
// Why can it do without `runc start` and `runc delete`? The former reads a byte from
// a FIFO in runc's state directory. The latter removes that directory and the cgroups
// that its state names. The shim does both itself if the state is one that runc wrote
// and there is nothing else to do, such as hooks or a systemd unit. Otherwise it
// calls runc.
//
// Why are the statistics not runc's? containerd's shims answer with those of package
// cgroups, and a caller should not have to know which shim it is.
//
// Why does the shim remember whether the container is paused, and not ask the
// runtime? State is called often, and must answer without a process start. The shim
// asks the runtime only after a pause or resume that failed.
//
// Why does one reaper wait for all children, even for those that the shim starts?
// Processes that runc leaves behind become children unannounced, so somebody must
// wait for any child. Whoever waits for any child takes the exits that others wait
// for. With notification by the reaper, a call needs no waiting thread, and a runtime
// that hangs does not delay a signal.
//
// Why not package go-runc? Its one monitor of children is for a whole process, and
// its errors are what runc prints. It would save only the building of arguments.
package minishim
