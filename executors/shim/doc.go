// Package shim is the executor that needs no container daemon: it starts
// containerd's shims itself and speaks their task API over ttrpc.
//
// Runtimes and their options are those of the containerd executor, so a backend
// moves from one to the other by changing the word after `executor =`. The one
// shim that cannot come along is io.containerd.runtime.v1.linux, whose API is
// containerd's own.
//
// # State
//
// Each container has a directory, StateDir/containers/ID:
//
//	record.json   what the attempt is, written before anything is started
//	shim.json     where its shim listens
//	started.json  that its start was asked for
//	exit.json     its end, on disk before the host hears of it
//	output.json   whether its output is complete: nothing else is held any more
//	CID/          the bundle that the shim and the OCI runtime work in
//
// A directory appears under its name complete with record and bundle, and goes
// with Delete. So whatever this process does not remember, another can tell from
// the directory and from the shim, which outlives both and keeps the exit.
//
// # Rationale
//
// Why is there a shim within the executor's own program? With it a machine needs
// runc and nothing else, shim and executor always fit together, and starting it
// takes one program start less: the executor makes the socket and hands it over,
// where a shim of another program has to be asked to start itself.
//
// Why does a container die with its shim? Its exit code can only be told by its
// parent, and its output is carried by nobody any more. containerd does the same.
//
// Why are events ignored? They are neither durable nor complete. Wait and State
// are the truth. Shims that insist on sending events find a listener that
// discards them, since without one they retry and log each of them.
package shim
