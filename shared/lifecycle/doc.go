// Package lifecycle makes an [executor.Backend] of a [Driver], which knows how to
// start, find, wait for, signal and remove one process of its technology. What the
// contract asks for beyond that is the same for every technology, and is done here:
// idempotence by ref, adoption after a restart, the end in two phases, retries while
// a disk is full, Creates under way, lists, deletion.
//
//	b := lifecycle.New(driver, host, log)
//
// An executor with capabilities that are not about one process, such as
// [executor.RuntimeResolver], declares a type of its own that embeds the [Backend].
//
// # Life of an attempt
//
//  1. Create lets the driver check the request ([Driver.Prepare]). Nothing is made.
//  2. [Driver.Start] makes and starts the process. If something is in its way
//     ([ErrInTheWay]), Create clears the way and tries again: the same attempt is the
//     answer, one that never ran is removed, an older one that has ended is handed
//     over (steps 4 to 7) and removed; a newer one, or an older one that runs, is the
//     caller's error.
//  3. A watcher waits for the end ([Process.Wait]).
//  4. What must be known before the host may know of the end is written down
//     ([Recorder]).
//  5. The host is notified ([executor.Host.Exited]). When that returns nil, the exit is on
//     its disk.
//  6. [Process.Release] frees everything that List and Restore do not need, and says
//     whether the output is complete.
//  7. The host is notified ([executor.Host.Released]), and the watcher ends ([Closer]).
//  8. Delete removes what is left ([Process.Remove]).
//
// This process may be killed between any two steps. The next process remembers
// nothing: Restore, and a Create of the same attempt, ask the driver ([Driver.Find])
// and continue from the step that the [Phase] shows.
//
// # Duties of a driver
//
// Start leaves nothing behind when it fails, also when ctx ended, but does not undo a
// process that has begun to run. Find determines, from what outlives this process,
// whether a process ever ran, runs, or has ended and how. An exit that Find or Wait
// returned is returned by Find again until Remove, save for its source: so either the
// technology keeps it, or Record does. Release and Record can be repeated when they
// failed. Remove works in every phase, and more than once.
//
// The driver decides whether output is complete, and what becomes of it on a full
// disk. It learns the streams from Prepare, or from [Adopter].
//
// # Further processes
//
// A further process of an attempt is a process of another driver, which finds it by
// [executor.Ref.Exec] too. Its driver keeps what it needs to know of the streams, since an
// attempt that ends takes up those that nobody has restored: it waits for their release,
// but not for long. Whoever reads their output no more holds up no attempt.
//
// # How to add a capability
//
// A capability that concerns a process is one file here: the interface of a Process
// that has it, its [executor.Capability], and the Backend's method, which calls
// forward. See pause.go. Drivers then add a method to their process and nothing else:
// the Backend offers what the type of the process has, and denies the rest. An
// executor that cannot do it everywhere has an Offers of its own, which asks that of
// the Backend first. A capability that does not concern a process needs nothing here.
//
// # Rationale
//
// Why is Start tried before anything is looked for? There is almost never something
// in its way, and looking would cost every container a call to a daemon.
//
// Why is the driver not asked about what this process remembers? This process knows
// best what it watches: a driver that is asked meanwhile sees steps half done.
//
// Why does a signal not wait for a Create of the same id? A Create may take minutes.
// An attempt that nobody knows yet cannot be meant. A known one is signalled, even
// while a Create for it is repeated.
//
// Why is a process that waits for its start (Created) not started when it is found?
// Its Create was cut off, so the host may not want it any more. A request for the
// same attempt shows that it does.
//
// Why is the signal of a death noted here? Many technologies report a death by signal
// n and an exit with code 128+n alike. If this process sent signal n, it was the
// signal.
//
// Why does a Backend deny capabilities? It has the methods of everything that any
// process can do. Only the type of the process shows which of them do something.
//
// Why does an end go on that a full disk keeps from being recorded? The host may be about
// to remove the attempt, which makes room, and waits for its release. The record is for a
// host that has lost its own.
//
// Why have further processes a Backend of their own ([Backend.Exec])? They have the same
// life, of which nothing is written twice, and their driver knows nothing of that of the
// first processes. What the two have in common is that an attempt must run to have further
// processes, is released after them, and takes what is left of them along. A driver that
// was not given one refuses their refs.
package lifecycle
