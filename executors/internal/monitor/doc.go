// Package monitor runs programs that outlive the process that started them, exit
// code included. Executors use it that have no shim: each workload has a monitor,
// a process of the executor's own program, which is the workload's parent, waits
// for it, and writes down how it ended.
//
//	status, err := monitor.Start(ctx, dir, job)   // runs when Start returns
//	status, err := monitor.Look(dir)              // at any time, by any process
//	err := monitor.Signal(dir, syscall.SIGTERM)
//	status, err := monitor.Wait(ctx, dir)         // until nothing of it is left
//	err := monitor.Kill(ctx, dir)                 // whatever state it is in
//	err := monitor.Remove(dir)
//
// Every program that imports the package can be a monitor: it is one if it was
// started by Start, and then its main is never reached.
//
// # On disk
//
// All that there is to know is in a directory, which the caller makes and
// removes; no state is in memory. The monitor holds a lock (flock) on the
// directory for as long as it works on it.
//
//	job.json      what is to run, written before the monitor is started
//	claim         that it is decided whether it runs, by the monitor or by a cancelled Start
//	started.json  that it is about to run; then also its process
//	exit.json     how its first process ended
//	gone          nothing of it was left when the monitor let go
//	loading.json  the process of a workload that runs inline, before it has begun
//	signal.json   the signal by which such a one was ended
//	log           what the monitor had to complain about
//
// So a free lock means that nothing will change any more: without started.json
// nothing ever ran, and without exit.json the monitor was killed and nobody can
// know the end. A process is known by its number, its start time and the boot of
// the machine, never by its number alone.
//
// # Inline
//
// A function of the program's own need not have a process beside the monitor's: see
// [Inline]. It has no parent that waits for it, then, so it writes down its own end;
// whoever kills it on purpose writes that down before; and if somebody else does,
// the executor that started it sees it as its parent, and the end is lost only if
// that is dead too. It saves the start of a process, 6 of 14 ms for a WebAssembly
// module that does nothing.
//
// # Rationale
//
// Why does a workload die with its monitor? Its exit code can only be told by its
// parent, and its terminal and what is left of it by nobody else. Its first
// process dies with the monitor (PDEATHSIG); the others when whoever notices calls
// Wait or Kill: those of its cgroup, or without one of its session.
//
// Why do a workload's other processes end with its first? It is what they do in a
// container. The monitor is their subreaper, so it knows when the last has gone,
// and with it the last that could write to the output files.
//
// Why does a monitor begin in init, and not in main? A program that serves a
// plugin initializes packages for 3 of the 5 ms that it takes to start (seen with
// gRPC and protobuf), none of which a monitor needs. Go initializes packages in
// the order of their paths as soon as what they import is initialized, and this
// one is early. Importing path/filepath would make it late.
//
// Why is a start not undone that was cancelled when the workload had begun? Whoever
// asked is told nothing, and asks again: the workload would run twice. So there is a
// moment before which it never begins and after which it runs, and the claim is it.
//
// Why is the workload started stopped (ptrace)? Resource limits can be given to
// it then before its first instruction, without another program in between that
// would cost as much as all the rest. A set-user-id program as the first one does
// not get its rights from a monitor without CAP_SYS_PTRACE.
//
// Why does nobody wait for the exit record to be synced? A record that was
// written is safe from the death of processes. Syncing protects it from a power
// failure, takes from one to hundreds of milliseconds, and is done by the monitor
// when everybody was told.
package monitor
