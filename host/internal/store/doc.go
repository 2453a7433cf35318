// Package store is the host's only durable state: containers, their specs,
// exits, and a journal of events, in one file.
//
// [Store.Update] runs a function in a transaction and returns when the result
// is on disk. Callers that come at the same time share a commit and its one
// sync; a lone caller never waits for company. [Store.View] reads a snapshot,
// and [Store.Follow] the journal without a gap, past and to come.
//
// # Rationale
//
// Why is the whole file checked at every open? The file is a bbolt database,
// and bbolt believes what it reads: a flipped bit gives wrong records or none
// without an error, a truncated file a fault that cannot be recovered from. So
// each record carries a CRC over its bucket, key and value, the header a count
// and a sum of the CRCs of every bucket, and a reader of its own goes through
// the file before bbolt sees it: pages, keys, free list, records, sums. What
// passes is, record for record, what was committed. A missing record is then
// as visible as a changed one.
//
// Why not in a child process? A child was thought to be needed because bbolt
// maps the file and so cannot be made safe. The reader uses plain reads into
// slices of checked length, which no content can crash. It works in programs
// that embed the host, which have no binary to start again, and costs no exec.
// What damages the file while it is open still faults inside bbolt; there
// faults become panics, panics become errors, and writing stops.
//
// Why one sync for a commit, where bbolt has two? bbolt syncs the pages before
// it writes the page that refers to them, because it could not tell afterwards
// that some are missing. The check at open can, and also where all of them are
// missing: a commit reuses the pages of the one before the last, so that its
// meta page may well refer to an old tree in which nothing is wrong, but the
// header there says which commit it belongs to. Open then falls back to the
// commit before, whose pages a commit never overwrites, and nothing that was
// acknowledged is lost.
//
// Why are functions in a shared commit undone one by one? bbolt has no
// savepoints, and running the others again, as its own batches do, calls a
// function an unknown number of times. All writes go through two methods of
// [Tx], so a list of the values that were there before is all it takes.
package store
