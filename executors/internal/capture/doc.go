// Package capture carries the output of a workload from its pipes, or its terminal, into
// files. It is for the processes that outlive an executor: davit's own shim, and the
// monitor.
//
//	from, to, err := capture.Pipe(capture.Owner{})     // to is the workload's stdout
//	log, err := capture.OpenLog(stdio.Stdout)
//	c, err := capture.Start(capture.Source{From: from, To: log})
//	c.Wait(ctx)                                        // until all who could write are gone
//	c.Close()
//
// A [Log] keeps the oldest part of a file out of it that is beyond its limit, notes when
// the output came (package notes), and goes on when the disk was full.
//
// # Rationale
//
// Why may a workload not have the file itself? It could truncate it, or open it once more
// through /dev/stdout and overwrite what is there. And as another user it could not open
// it at all.
//
// Why one loop for both streams? The kernel lists pipes in the order in which they became
// ready, so one reader knows which of the two was written first as long as it is not
// behind. Two readers do not. FIFOs have a loop each, since one of them may be full for
// as long as its reader reads the other.
//
// Why is not each read noted? A workload that writes small lines without an end would
// have more notes than output. A stream has a budget: each note costs one, and what is
// beyond it shares notes that are [hot] apart, which say so by their span.
//
// Why is a note written before the data? So that who reads the data as it comes finds the
// note. A write that fails makes the offset too large for the moment; the next note
// begins at the right one.
//
// Why may every user open the pipe? So that a workload that has changed its user can
// write to /dev/stdout. The pipe has no name but those below the /proc of processes that
// have it open, where only their own user comes.
package capture
