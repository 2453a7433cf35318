// Package linux wraps what several parts of davit need from the kernel: processes
// whose number cannot come to mean others, locks and sockets that say whose they are,
// the mounted cgroups, holes in files, and events of files. It imports the standard library and
// golang.org/x/sys alone, so that any executor may import it.
package linux
