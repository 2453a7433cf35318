// Package networks gives containers addresses: it keeps the networks of a host, and makes for
// each container a network namespace that outlives its attempts.
//
//	networks.json      a copy of the records, in the state directory, in case that is damaged
//	RUN_DIR/netns/ID   the network namespace of container ID; see [Manager.Path]
//	vethXXXXXXXXXXX    its end on the machine, named by [LinkName]; the other is eth0 within
//	vethXXXXXXXXX-N    that of its link ethN to a network to which it was connected later
//	davit0, davit1, …  the bridge of each network, which has the gateway's address
//	table ip davit     all rules of nftables
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
// A container that joins the network namespace of another has no leases of its own. When that
// is removed, its leases go to another container of the namespace in the same transaction, and
// the namespace goes with the last one, whose id it need not have in its name.
//
// A container with the network user has no lease either: all of them have the same address, in a
// namespace that a program of its own connects with the world; see package usernet.
//
// A container without a network has a namespace that its executor makes, except on a host that
// may not configure that one: see [Manager.MakesAlone].
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
// Why is what others remove made again? A firewall that is reloaded takes all rules with it,
// and whoever reloads it does not know whose they were. The kernel tells of each change, so
// nothing is asked again and again; see [Manager.Obstacles] for what is left to people.
//
// Why one table, replaced as a whole? What is computed from the records cannot drift from
// them, and a transaction leaves no moment without rules.
package networks
