// Package holder is the process that holds the published ports of one container. It
// forwards what comes to them, and lives on when the host dies.
//
// Every program that imports the package can be a holder: it is one if [Command] has
// started it, and then its main is never reached. Its descriptors are:
//
//	0   a Config; see Config.Tied for what follows it
//	1   gets a State as soon as it serves
//	2   its log
//	3   the lock of its directory, which it has for life
//	4…  a socket for each port, bound by the host, and a file that is only kept open
//
// In its working directory it listens on [Socket], and answers every [Request] there with a
// State. It ends on SIGTERM: then its ports are free at once, the lock is released, and the
// connections that there are have some seconds to come to their end.
//
// # Rationale
//
// Why is it a process of its own, and not the host? A published port is to be open, and its
// connections are to last, while the host is replaced or has crashed. And why is there one for
// each container? What harms one, harms no other, and it ends with its container.
//
// Why does it begin in init? For the same reason as the monitor of package monitor: a host
// initializes packages of others for some milliseconds and megabytes that a holder does not
// need.
//
// Why does it copy with splice? The bytes stay in the kernel. A direction that nobody reads
// fills one pipe and then holds up its sender, and costs no memory of the holder's.
package holder
