// Package networks gives containers addresses: it keeps the networks of a host, and makes for
// each container a network namespace that outlives its attempts.
//
//	networks.json      a copy of the records, in the state directory, in case that is damaged
//	RUN_DIR/netns/ID   the network namespace of container ID; see [Manager.Path]
//	vethXXXXXXXXXXX    its end on the machine, named by [LinkName]; the other is eth0 within
//	vethXXXXXXXXX-N    that of its link ethN to a network to which it was connected later
//	davit0, davit1, …  the bridge of each network, which has the gateway's address
//	table ip davit     all rules of nftables, and table ip6 davit if a network has IPv6
//
// A host whose state directory is not the default one has other names for bridges and table,
// made of its id, so that several hosts of a machine, and tests, do not meet.
//
// # Who has which address
//
// The store alone says so: the record of a container has its leases ([store.Lease]), which
// are made in the transaction that records the container, and are gone in the one that
// removes it. So none can leak, and a restart of container, host or machine changes none.
// The first of a container's leases is the address by which it knows itself. A lease says
// which link it belongs to; links that belong to none are removed.
//
// A network may have IPv6 beside IPv4: then a lease has an address of each. Without a subnet of
// the user's, it has one of the prefix that the host has for itself by RFC 4193, which follows
// from the host's id.
//
// A container that joins the network namespace of another has no leases of its own. When that
// is removed, its leases go to another container of the namespace in the same transaction, and
// the namespace goes with the last one, whose id it need not have in its name.
//
// All else follows from the records. [Manager.Up] makes what is missing for one container and
// is called before each start; Open does so for all whose namespaces are there, and removes
// what no record names. Both can be interrupted anywhere and repeated.
//
// # Rationale
//
// Why does the host own the namespace? A restart keeps it, with addresses and open ports, and
// an executor sees no more of all this than a path in the OCI spec. Executors that have no
// namespaces refuse that by name.
//
// Why is a container's end not removed with its container? It goes with the namespace, in
// which the other end is, once nothing is in it any more. Both ends are made at once, in their
// places, so that an interrupted host leaves nothing that would have to be looked for.
//
// Why is the next address a new one, although an earlier one is free? The kernel takes a
// moment to take a namespace down, in which two would answer for one address, and peers
// remember who had it.
//
// Why is IPv6 off unless somebody wants it? A machine has to forward it, and is a router for its
// neighbors then. And who has a local address asks others by IPv4 first, if both can do that
// (RFC 6724): little is missing without.
//
// Why does the machine go on with router advertisements when it forwards IPv6, if it took them
// before? The kernel takes routers to know their addresses themselves, and would take those
// from the machine that it has from another one. Its own bridges take none: any container could
// send them.
//
// Why are addresses of IPv6 translated if they are local ones, and others not? Others are
// there to be reached.
//
// Why is what others remove made again? A firewall that is reloaded takes all rules with it,
// and whoever reloads it does not know whose they were. The kernel tells of each change, so
// nothing is asked again and again; see [Manager.Obstacles] for what is left to people.
//
// Why are published ports translated only for packets from elsewhere, and only where they are
// sure to arrive? What the rules leave out is served by a process of package ports, all but the
// address of the client is the same then, and nothing has to be set for loopback. Packets to
// containers of internal networks would be dropped by the rules here, and others by a firewall
// that drops what is forwarded, or where the machine does not forward: as soon as one of them
// is seen, the rules go, and they come back after it. A firewall that is to decide who reaches a
// published port does it where packets are forwarded: those that are translated never get to
// what decides over packets for the machine itself.
//
// Why one table for each family, both replaced as a whole? What is computed from the records
// cannot drift from them, and a transaction leaves no moment without rules.
package networks
