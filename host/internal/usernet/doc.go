// Package usernet connects network namespaces with the world as an ordinary program would: by
// pasta or slirp4netns, where one of them is installed, and without rights to the network of the
// machine.
//
//	usernet/ID/lock           is had by who starts or ends the helper of container ID
//	usernet/ID/process.json   which process that is
//	usernet/ID/log            what it says
//
// Each container has a helper, a process of such a program. It makes the link eth0 in the
// namespace, and sends on what comes there, from sockets of its own. It outlives the host. The
// next one finds it by its record, and starts another when it dies.
//
// # Rationale
//
// Why are programs of others run, and why these? They are a TCP/IP stack each, and what rootless
// containers are used to. pasta comes first, since it is quicker and knows IPv6. Of what Debian
// 12 has of both, the memory was seen to be 21 MB for pasta and 3 MB for slirp4netns.
//
// Why does neither of them publish ports? The holder of a container's ports does it as on every
// other network, from within the namespace: then a port that is taken is refused in the same way,
// a restart keeps it, and it is open whatever becomes of the helper.
//
// Why does a process of our own become the helper? It records itself, and has the lock until it
// is the helper. So there is none that the next host does not know of, whenever this one dies.
//
// Why may a namespace belong to a user namespace of its own? There a host may do what it may not
// do with the machine's, without CAP_NET_ADMIN: make links and addresses.
package usernet
