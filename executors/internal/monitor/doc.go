// Package monitor runs programs that outlive the process that started them, and keeps
// their exit codes. It is for executors without a shim. Each workload has a monitor,
// a process of the executor's own program. The monitor is the workload's parent,
// waits for it, and writes down how it ended.
//
//	status, err := monitor.Start(ctx, dir, job)   // runs when Start returns
//	status, err := monitor.Look(dir)              // at any time, by any process
//	err := monitor.Signal(dir, syscall.SIGTERM)
//	err := monitor.Pause(ctx, dir)                // and Resume, with a freezer
//	err := monitor.CloseInput(dir)
//	err := monitor.Resize(dir, monitor.Terminal{Rows: 24, Cols: 80})
//	status, err := monitor.Wait(ctx, dir)         // until nothing of it is left
//	err := monitor.Kill(ctx, dir)                 // whatever state it is in
//	err := monitor.Remove(dir)
//
// Every program that imports the package can be a monitor: it is one if Start has
// started it, and then its main is never reached.
//
// # On disk
//
// All state is in a directory, which the caller makes and removes; none is in memory.
// The monitor has a lock (flock) on the directory for as long as it works on it.
//
//	job.json      what is to run, written before the monitor is started
//	claim         that it is decided whether it runs, by the monitor or by a cancelled Start
//	started.json  that it is about to run; then also its process
//	exit.json     how its first process ended
//	gone          nothing of it was left when the monitor released the lock
//	loading.json  the process of a workload that runs inline, before it has begun
//	signal.json   the signal by which such a one was ended
//	input         a FIFO: who writes to it closes the workload's input
//	log           the monitor's own errors
//
// So a free lock means that nothing will change any more. Without started.json
// nothing ever ran. Without exit.json the monitor was killed and nobody can know the
// end. A process is identified by its pid, its start time and the boot of the
// machine, never by its pid alone.
//
// # Output
//
// The workload has pipes, or a terminal, and the monitor copies what comes into the files:
// see package capture. A workload that runs inline writes through the same code, without
// a pipe. What is in the pipes of a monitor that is killed is lost, and its output called
// truncated.
//
// # Input
//
// The workload reads the FIFO itself, which the monitor has open for writing until
// CloseInput. For a terminal, the monitor copies, and hangs up at the end.
//
// # Inline
//
// A function of the program's own needs no process beside the monitor's: see
// [Inline]. It then has no parent that waits for it, so it writes down its own end.
// Whoever kills it on purpose writes that down before. If it is killed by anybody
// else, the executor that started it sees that as its parent, and the end is lost
// only if that executor is dead too. This saves the start of a process, 6 of 14 ms
// for a WebAssembly module that does nothing.
//
// # Within another
//
// A job that is [Job.Beside] another one runs within that: it joins its cgroups, and its
// process is in its root, namespaces and filter. It has a monitor of its own, for which
// three things are different. What the process leaves behind is not killed, but goes on,
// and so does the copying of its output: [WaitExit] waits for the process alone. All of it
// is killed when the first process of the other one ends. And nothing is done to the
// cgroups.
//
// # Contained
//
// With a NetNS the monitor goes into that network namespace before it starts the workload, which
// inherits it, as do those that run within that. With a [Contain] the monitor makes mounts in a mount namespace before it starts the
// workload, which the workload inherits. With a [Filter], or with limits, the workload's
// process is first this program once more, a stage: it sets the limits, installs the
// filter, changes its user and executes the workload's program. That takes 2 ms more.
//
// # Rationale
//
// Why does a workload die with its monitor? Only its parent can know its exit code,
// serve its terminal and kill what is left of it. Its first process dies with the
// monitor (PDEATHSIG). The others are killed by the next call of Wait or Kill: those
// of its cgroup, or without one those of its session.
//
// Why do a workload's other processes end with its first? They do so in a container.
// The monitor is their subreaper, so it knows when the last has ended, and with it
// the last that could write to the output files.
//
// Why does a monitor begin in init, and not in main? A program that serves a plugin
// initializes packages for 3 of the 5 ms that it takes to start (seen with gRPC and
// protobuf), and a monitor needs none of them. Go initializes packages in the order
// of their paths as soon as what they import is initialized, and this one is early.
// Importing path/filepath would make it late.
//
// Why is a start that is cancelled after the workload has begun not undone? The
// caller gets no answer and calls again, so the workload would run twice. So there is
// one moment before which the workload never begins and after which it runs: the
// claim.
//
// Why is the workload started stopped (ptrace)? Then it is recorded which process it is
// before its first instruction. If the first program is set-user-id, it does not get its
// rights from a monitor without CAP_SYS_PTRACE.
//
// Why does nobody wait until the exit record is synced? A record that was written
// survives the death of processes. Syncing protects it from a power failure and takes
// from one to hundreds of milliseconds, so the monitor syncs when everybody was
// notified.
package monitor
