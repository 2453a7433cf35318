// Package criu makes checkpoints with OCI runtimes that use CRIU: in drafts that get their
// name when they are complete, and with errors that say why CRIU failed.
//
//	DIR               a checkpoint, which is complete
//	PARENT/.NAME/*    drafts of it, each with the images and a directory for CRIU's logs
//	PARENT/.restore-* logs of restores
//
// # Rationale
//
// Why is a draft kept when an executor dies? The shim and the runtime go on without it, and
// the processes end when the runtime has written them down: then the draft is all that is
// left of them. The last line of CRIU's log says whether it is complete, and the next
// executor gives it its name.
//
// Why is CRIU's log read? Runtimes say no more than that CRIU has failed, and where the log
// is, which is removed with the draft. The first error in it is the reason; those after it
// follow from it.
//
// Why is the criu program not looked for beforehand? Runtimes need not have one. It is only
// looked for to explain a failure.
package criu
