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
//	shim.json     where its shim listens, if it is not one of our own
//	started.json  that its start was asked for
//	exit.json     its end, written before the host hears of it
//	output.json   whether its output is complete: nothing else is held any more
//	CID/          the bundle that the shim and the OCI runtime work in
//
// A directory appears under its name complete with record and bundle, and goes
// with Delete. So whatever this process does not remember, another can tell from
// the directory and from the shim, which outlives both and keeps the exit.
//
// # Shims
//
// Whoever asks for runc, or for io.containerd.runc.v2 where it is not found in
// shim_dirs, is served by a shim within the executor's own program: that of package
// minishim, or where it does not suffice, for terminals and with the option
// shim_cgroup, containerd's own (package runcshim). All other shims are started
// as containerd starts them.
//
// # gVisor
//
// Debian's package runsc has no shim, but its runsc is an OCI binary that the shim
// for runc can call:
//
//	runtime "gvisor" {
//	  path = "runsc"
//	  args = ["--platform=ptrace", "--network=none", "--ignore-cgroups"]
//	}
//
// Streams, exit codes, signals, and the restart of the executor are tested with
// runsc 20221219 on kernel 6.18. Of the arguments, --network=none is needed for
// specs without a network namespace, whose start runsc refuses otherwise; ptrace
// is that version's default platform; and with --ignore-cgroups limits are those
// of the cgroup that the executor runs in, where without it runsc makes cgroups
// of version 1. With --platform=kvm, `runsc create` did not come back within a
// minute on a virtual machine that has a /dev/kvm.
//
// # Rationale
//
// Why is there a shim within the executor's own program? With it a machine needs
// runc and nothing else, and shim and executor always fit together. And it saves
// most of what a container costs, which is process starts: see below.
//
// Where do the process starts go? /bin/true takes `runc run` four (runc, its init
// twice, and the program), `ctr run` eleven, this executor with containerd's shim
// seven, and with its own five: runc's four, and the shim. See package minishim for
// the three of runc that are saved.
//
// And what is that worth? With the same runc, four at once on two cores, a client of
// the API gets 2.4 times as many containers a second as `ctr run`, and the command
// line, which is started for each of them, 1.9 times. Alone, /bin/true takes the client
// 1.8 times as long as bare `runc run`, and the command line 2.1 times: on a machine
// where starting a program is dear, what remains is the shim's own start beside runc's.
// BenchmarkStartToExit and BenchmarkConcurrent in host/e2e measure it.
//
// Why is a shim started before there is a container for it? So that the container
// does not wait for it: see spares. It saves time and not work, since each
// container still has a process of its own.
//
// Why do containers not share a shim? That would save its start, a fifth of what a
// container costs here. But all would die with it.
//
// Why does a container die with its shim? Its exit code can only be told by its
// parent, and its output is carried by nobody any more. containerd does the same.
//
// Why are events ignored? They are neither durable nor complete. Wait and State
// are the truth. Shims that insist on sending events find a listener that
// discards them, since without one they retry and log each of them.
package shim
