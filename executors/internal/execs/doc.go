// Package execs is the [lifecycle.Driver] of the further processes of attempts that a
// shim runs, by containerd's task API. How a backend reaches its shims is a [Shims].
//
// A process has a record in the backend's StateDir, which is there before its shim knows of
// it, and until it is removed. What the record does not say, the shim does: whether the
// process runs, and how it has ended. So it is found again after the death of the executor
// at any moment, and never started twice.
//
// # Traps
//
// All of these were seen with the shims of containerd 1.6 to 2.4. The shim of a command
// that cannot be executed says that it has ended with code 0, at no time; only the error of
// the start tells, and in the state of the process its pid is 0. The same is seen when a
// start is cut off because its caller has died, and then the command may have run. If such a
// process is started again, its shim panics when it ends (containerd 2.4.2: "close of closed
// channel"), and takes the container along. The id stays taken until the process
// is deleted. CloseIO before the start does nothing. To start a process whose FIFO has no
// reader takes as long as the call may. A deletion ends the copying of output after 2 or 10
// seconds, also if there is somebody who reads it: so a FIFO must have lost its last writer
// first. And it closes the pipes of those whom the process has left behind: while their
// output goes on, the process is deleted with its attempt, or when the host deletes it.
package execs
