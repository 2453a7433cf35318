// Package command finds out, before anything is made, whether a workload's command can
// be executed: it looks for the program in the root file system as a process there
// would, and reads as much of it as the kernel does.
//
// # Rationale
//
// Why not leave that to the runtime? It looks for the file, but executes it last, when
// the start has been answered already. A script without an interpreter, or one that is
// no program, then looks like a workload that ran and exited with code 1, which nothing
// but a text on its stderr tells from one that did. And runtimes differ in what they
// notice. Looked up here, the same command fails in the same way on all executors.
//
// Why is nothing said of a file below a mount? What is mounted there is not seen from
// here. What cannot be known is left to the runtime.
package command
