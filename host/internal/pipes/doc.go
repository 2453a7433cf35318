// Package pipes moves bytes between clients and the FIFOs that are the streams of a process,
// each byte once, whatever dies meanwhile.
//
// # Rationale
//
// How can output that is read from a pipe survive its reader? It is not read but copied,
// with tee(2), and taken out of the pipe only when the client has acknowledged it. The next
// host finds in the pipe what was not acknowledged. The number of bytes that were taken is
// kept in a file, and so is how many are being taken or written at the moment. If a host is
// killed just then, the next one knows that it does not know, and says so: see [TornError].
//
// Why a file that is written with pwrite, and not a mapped one? Only the death of the
// process has to be survived, so that neither is synced, and a mapped file that somebody
// truncates is a fault. The write costs about a microsecond.
package pipes
