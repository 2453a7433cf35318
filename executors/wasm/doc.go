// Package wasm is the executor that runs WebAssembly modules of WASI preview 1. It
// needs no privileges and no features of the kernel.
//
//	davit run --backend wasm --rootfs /srv/app hello.wasm arg
//
// # What a workload is
//
// The command of the spec names a module in the root file system: by its path, or by
// a name that is looked up in PATH and in the working directory. ".wasm" at the end
// may be left out, and files that are not modules are skipped. So where /bin/hello is
// a program for Linux and /bin/hello.wasm its module, `hello` and `/bin/hello` run on
// every backend. Modules of the host can be run too, from directories that the
// backend's config lists.
//
// The module sees the root file system and the bind mounts of the spec as in a
// container: see package guestfs. It gets the arguments, the environment, and the
// output files. WASI has no working directory. The variable PWD has it: modules made
// by Go use that, while those of wasi-libc begin in /. The memory limit is for the
// module's linear memory, beside which its process needs 3 MB, 12 that all such
// processes share, and its machine code.
//
// A module exits with the lowest byte of its exit code, with 134 when it traps, and
// with 137 at the backend's timeout; the last two are explained on its stderr. It has
// no means to handle a signal. So every signal that is not ignored by default ends
// it, with the code that a process would have.
//
// # What is refused
//
// Fields of the spec that have no meaning for a module are refused by name, unless
// the backend's config lists them under "ignore": hostname, hooks, CPU limits, a
// terminal, users, tmpfs, a network and others. Fields that only forbid something are accepted,
// since a module cannot do it anyway: it has no capabilities and no system calls,
// starts no processes, and opens no devices. The namespaces, kernel file systems and
// masks that every container spec has are ignored, since "usual" is on that list by
// default.
//
// # State
//
// Package monitor keeps what is known of each container, in StateDir/containers, and
// StateDir/cache has compiled modules until they have not been used for a month.
//
// # Rationale
//
// Why does a module run in its monitor's process? A second process would be most of
// the cost. From start to end through the executor, a module that does nothing takes
// 8 ms with a warm cache; with a monitor as the parent of another process it was
// 14 (medians, two cores; wazero within one process: 0.65). A module of 1.6 MB
// made by Go's compiler takes 56 ms, and 52 by wazero alone, which checks it each
// time.
//
// Why does a module get no listeners in a network, which WASI has calls for? With wazero 1.12 a
// connection that it has accepted and closed stays open, and it cannot wait for one of several.
//
// And what if that process is killed? If the executor kills it, the executor first
// writes down why. If others kill it, the executor sees that as its parent. If the
// executor is dead by then, too, the exit is lost, and reported as lost.
//
// Why does the executor not compile modules itself? Compiling one takes seconds and
// gigabytes if its author wants that. So the workload's own process does it, which
// can be killed.
package wasm
