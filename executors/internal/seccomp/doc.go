// Package seccomp translates the seccomp profile of an OCI spec into a filter for the
// kernel, for executors that start processes without an OCI runtime.
//
// A profile means here what it means to runc: a rule for a system call that the machine
// does not know is passed over, as is one that says what happens anyway; several
// conditions on one argument are alternatives. A call with a number above all that the
// profile names fails with ENOSYS and not with the default error, so that a C library
// falls back to an older call. Calls of an architecture that the profile does not list
// kill the process, as does the x32 variant of x86-64, which kernels hardly have.
//
// # Rationale
//
// Why not libseccomp? It takes cgo, and the executors are static programs. The table of
// system calls, which ages, is a library's.
package seccomp
