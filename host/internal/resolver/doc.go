// Package resolver answers what containers ask by DNS: the names of others on their networks,
// and what the machine's name servers know.
//
//	dns/zones.json   what is answered to whom
//	dns/lock         the lock of the process that answers
//	dns/log          what that says
//
// Programs find names in /etc/hosts, which package hostsfile keeps. The resolver is for those
// that ask DNS alone. Nothing waits for it, and nothing that a container needs is lost with it:
// its resolv.conf names the machine's servers as well.
//
// It is a process of its own, see package server, that is there while containers have
// addresses. It outlives the host, and the next one finds it by its lock. One that dies is
// made anew.
//
// # Rationale
//
// Why one process, and not one for each network or container? A container may be on several
// networks, and who asks is known by the address. It holds no state, so that one which dies is
// replaced in milliseconds. And it takes 7 MB of memory, which is much for each container.
//
// Why is it at the gateway's address, and not within each container? A socket keeps a network
// namespace alive, which then would not go with its container. It would also take a port there,
// which belongs to the container's programs.
//
// Why is it not at port 53? That may be a server's of the machine, or be published by a
// container. Rules lead there what containers send to port 53 of their gateway. When they are
// flushed, a question is refused at once, and the next server is asked.
//
// Why is it named only where it was seen to answer? A firewall may drop what containers send to
// the machine. Each name would then be waited for, for seconds; see [Manager.Answers].
package resolver
