// Package failpoint has the places at which the storm strikes. It is part of no
// product: package overlay puts calls to it into what the storm builds, at the
// seams between davit and what may fail around it.
//
// A place is named PART.SEAM.WHAT. PART is host, kit (the plugin kit in an
// executor) or the executor's name. WHAT is what passes the seam, a method or a
// file, or the function that it comes from. The same with -done is the other side
// of the seam: the call has returned, the commit is on disk.
//
// A process asks, at each place, the directory that the variable DAVIT_FAILPOINTS
// names. A file there that is named as the place, or as SCOPE+PLACE for the
// processes whose working directory has the base name SCOPE, says what happens. The
// process that comes first takes it, by renaming it to hit.PLACE.PID, so that it
// happens once. Its content is one of
//
//	kill        the process kills itself
//	stop        it stops itself, as a debugger would
//	panic       it panics
//	error       what passes the seam fails, with no effect
//	hang        it never gets through
//	sleep 2s    it takes that long
//	lie JSON    the reply of the call has this body (places kit.call.METHOD alone)
//
// While the directory has a file named survey, each process also notes the places
// that it passes, as empty files named seen.SCOPE+PLACE.
//
// Files named bug.NAME switch on deliberate bugs, by which the storm proves that
// it can fail. SIGUSR2 makes a process write how many goroutines it has to
// goroutines.PID.
//
// # Rationale
//
// Why files? They can be armed and are taken while everything is running and being
// killed, cross any number of restarts, and show afterwards what was hit.
//
// Why are places named by the caller of a seam instead of by marks in the sources?
// There were 64 marks, and each new step of a container's life needed more of them
// by hand. The seams are few, and what passes them changes with the code; a survey
// finds the places, and nothing about them has to be kept up to date. Errors that a
// mark returned in the middle of a function come from where real ones come from.
//
// Why do monitors and shims never strike? They are part of the workload: that an
// exit is lost with them is no fault of davit, and row shims has it.
package failpoint
