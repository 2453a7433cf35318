// Package shim is the executor that needs no container daemon: it starts shims
// itself, davit's own or those of containerd, and speaks their task API over ttrpc.
//
// Runtimes and their options are those of the containerd executor, so a backend moves
// from one to the other by changing the word after `executor =`. The one shim that it
// cannot use is io.containerd.runtime.v1.linux, whose API is containerd's own.
//
// # State
//
// Each container has a directory, StateDir/containers/ID:
//
//	record.json   what the attempt is, written before anything is started
//	shim.json     where its shim listens, if it is not davit's own
//	remains.json  by what its processes are found if nobody else ends them
//	started.json  that its start was asked for
//	answered.json that its start was answered, so that it is known to have run
//	exit.json     its end, written before the host hears of it unless the disk is at fault
//	output.json   whether its output is complete: nothing else is kept any more
//	CID/          the bundle that the shim and the OCI runtime work in
//
// A directory appears under its name complete with record and bundle, and Delete
// removes it. Further processes have records beside that: see package execs. So what a new
// process does not remember, it learns from the directory
// and from the shim, which outlives the executor and keeps the exit.
//
// # Shims
//
// For runc, and for io.containerd.runc.v2 where it is not found in shim_dirs, the
// executor uses davit's own shim: package minishim, a process of the executor's own
// program. All other shims are started as containerd starts them.
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
// of version 1. runsc keeps one network namespace mounted in its root, for all
// containers of a backend. With --platform=kvm, `runsc create` did not come back within a
// minute on a virtual machine that has a /dev/kvm.
//
// # Runtimes of others
//
// TestForeignRuntimes runs each of these to its end, to a kill, and to the death of its
// shim (`make foreign`):
//
//	runc                      1.0.3, 1.1.15, 1.3.6, 1.4.4, 1.5.2
//	runsc                     by path, as above
//	nvidia-container-runtime  1.20.2
//
// # Rationale
//
// Why does davit have a shim of its own, within the executor's program? With it a
// machine needs nothing but runc, and shim and executor always match. It also saves
// most of the cost of a container, which is process starts: see below.
//
// Why is containerd's shim not linked in as well? It was, for terminals and the
// option shim_cgroup. Since davit's own shim serves the whole task API, containerd's
// had nothing left to do. Without it the program has 16.6 MB instead of 17.8, of 30
// modules instead of 40, and davit does not depend on containerd's own module, only
// on that of its API.
//
// Where do the process starts go? /bin/true takes `runc run` four (runc, its init
// twice, and the program), `ctr run` eleven, this executor with containerd's shim
// seven, and with its own five: runc's four, and the shim. See package minishim for
// the three of runc that are saved.
//
// What does that save? With the same runc, four at once on two cores, a client of the
// API gets 2.4 times as many containers a second as `ctr run`, and the command line,
// which is started for each of them, 1.9 times. Alone, /bin/true takes the client 1.8
// times as long as bare `runc run`, and the command line 2.1 times: on a machine
// where starting a program is dear, what remains is the shim's own start beside
// runc's. BenchmarkStartToExit and BenchmarkConcurrent in host/rigs/e2e measure it.
//
// Why is a shim started before there is a container for it? So that the container
// does not wait for it: see pool. It saves time and not work, since each container
// still has a process of its own.
//
// Why do containers not share a shim? That would save its start, a fifth of what a
// container costs here. But all would die with it.
//
// Why does a container die with its shim? Nobody but its parent learns its exit code,
// and nobody carries its output any more. containerd does the same.
//
// Why does every runtime of davit's own shim need a root? When that shim has died, the
// executor itself removes the container, and has to know where runc keeps it. Other
// shims have a command for that, "delete".
//
// Why is a container ended by force? A removal that a shim or a runtime can prevent is
// none. So SIGKILL has a last resort when what should kill fails, hangs or does nothing:
// the processes in the container's cgroup and its first process are killed directly, and
// then a shim that does not answer. A removal asks the runtime, with its own arguments and
// root, and then looks at cgroup and processes itself. A runtime's private files show
// nothing: runc keeps ROOT/ID, runsc other names.
//
// Why is a shim that does not answer taken to run its container? It may, and what runs is
// never killed or forgotten for want of an answer. It may also be stopped, or have lost its
// socket with the directory that it was in.
//
// How is it known that a workload never ran? Until the workload is executed, its process is
// an init of runc's, which was forked and has executed nothing: the kernel says so in
// /proc/PID/stat, also of a zombie, and no process can make that true again. So a start
// that davit's own shim serves fails if a hook of the kind startContainer does, or if the
// program turns out to be none. Other shims report such a start as an exit with code 1.
//
// Why are events ignored? They are neither durable nor complete. Wait and State are
// the truth. Shims that insist on sending events find a listener that discards them:
// without one they retry and log each event.
package shim
