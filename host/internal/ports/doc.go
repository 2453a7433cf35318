// Package ports publishes ports of containers on the machine.
//
//	ports/ID/lock     the lock of the container's holder
//	ports/ID/socket   where it answers
//	ports/ID/log      what it says, which is nothing
//
// A container that publishes ports has a process, its holder, that forwards what comes to
// them; see package holder. The host binds the sockets, which the holder inherits. What a
// container publishes is in its record before a holder is started. So the next host knows
// what there has to be, and finds what there is by the locks: a holder has its own for life.
// It makes anew what has died, and ends what has no container any more.
//
// # Rationale
//
// Why does the host bind the sockets? A port that is taken is then refused before anything of
// the container is made, and stays its own until the container has an address.
//
// Why is there a process, where package networks has rules of the kernel for what comes from
// elsewhere, with which a container sees its clients' addresses? Rules do not see what goes to
// 127.0.0.1 or ::1 or from a container to itself, are lost when somebody else flushes them, and
// are overruled by a firewall that drops what is forwarded. What a process has accepted is none
// of theirs. So it serves whatever the rules leave to it, and its socket keeps the port from
// others.
//
// Why has a holder a table of nftables? See keepFlows: while all rules are gone, nothing else
// would translate the packets of connections that there are, and the machine would reset them.
//
// What does a holder cost? On a machine with 2 processors, a download has 0.9 GB/s through a holder
// and 1.6 GB/s directly. A holder takes 5 MB of memory, and 9 MB once it has had connections;
// 4 MB are its own, the rest is the program's file, which all holders share. The container
// sees the machine's address on its network as that of its clients.
//
// Why is what comes by IPv6 passed on by IPv4? Whatever a container's program listens on, it
// does so by IPv4, except for a few, which get it by IPv6 because they refuse it by IPv4.
//
// Why is a port that is published on all addresses one socket? A socket of IPv6 serves IPv4
// too. Then there is no port that is free in one of them only.
package ports
