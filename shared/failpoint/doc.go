// Package failpoint has the places at which the storm strikes. Code that must
// survive its own death at some place names the place:
//
//	if err := failpoint.Hit("containerd.create.task"); err != nil {
//		return err
//	}
//
// In normal builds the functions are empty and compile to nothing. A build with
// -tags failpoint asks, each time, the directory that the variable
// DAVIT_FAILPOINTS names. A file there that is named as the place, or as SCOPE+PLACE
// for the processes whose working directory has the base name SCOPE, says what
// happens. The process that comes first takes it, by renaming it to
// hit.PLACE.PID, so that it happens once. Its content is one of
//
//	kill        the process kills itself
//	stop        it stops itself, as a debugger would
//	panic       it panics
//	error       Hit gives an error
//	hang        Hit never returns
//	sleep 2s    Hit takes that long
//	lie JSON    the reply of the call has this body (places call.METHOD alone)
//
// Files named bug.NAME switch on deliberate bugs, by which the storm proves that
// it can fail. SIGUSR2 makes a process write how many goroutines it has to
// goroutines.PID.
//
// # Rationale
//
// Why files? They can be armed and are taken while everything is running and being
// killed, cross any number of restarts, and show afterwards what was hit. Why are
// places literals? The storm finds them all in the sources, and fails if it
// could not reach one.
package failpoint
