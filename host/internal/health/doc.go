// Package health finds out whether containers do their work.
//
// A [Scheduler] has the containers that are to be probed, and probes each one in turn: one
// goroutine waits for all, and only a probe that is under way has one of its own. A [State]
// is what the probes of one attempt have found out, by docker's rules. [TCP] and [HTTP] are
// probes that the host makes itself, within the network namespace of the container. Those
// cost far less than a command, which is a process that a shim starts.
//
// # Rationale
//
// Why is a State in memory? A probe may come every second, for each of a thousand
// containers, and the state is synced to the disk with every change. Only a change of the
// status is worth that.
//
// Why is the network namespace entered, and the port not just dialed? Containers are in
// a namespace of their own, with a loopback of their own, or in the host's. A path of
// /proc leads to either, and 127.0.0.1 is then what programs in the container mean by it.
package health
