// Package store keeps the host's only durable state in one file: containers, their specs
// and exits, and a journal of events.
//
// A record is what the store keeps of one thing, under one key. [Store.Update] runs a
// function in a transaction and returns when the result is on disk. Callers that come at
// the same time share a commit and its one sync; a lone caller never waits for company.
// [Store.View] reads a snapshot. [Store.Follow] reads the journal, past and future
// events, without a gap.
//
// # Rationale
//
// Why is the whole file checked at every open? The file is a bbolt database, and bbolt
// trusts what it reads. From a flipped bit follow wrong records or none, without an
// error; from a truncated file, a fault that cannot be recovered from. So each record
// has a CRC over its bucket, key and value, and the header has the number of records and
// the sum of their CRCs for every bucket. A reader of its own, package boltfile, goes
// through the file before bbolt opens it: pages, keys, free list, records, sums. A file
// that passes has, record for record, what was committed. A missing record is noticed as
// a changed one is.
//
// Why not in a child process? A child seems to be needed because bbolt maps the file and
// so cannot be made safe. But the reader uses plain reads into slices of checked length,
// which no content can crash. It works in programs that embed the host, which have no
// binary to start again, and costs no exec. Damage to the file while it is open still
// faults inside bbolt. There faults become panics, panics become errors, and writing
// stops.
//
// Why one sync for a commit, where bbolt has two? bbolt syncs the pages before it writes
// the page that refers to them, because it could not find out afterwards that some are
// missing. The check at open can. It can even if all of them are missing: a commit
// reuses the pages of the commit before the last one, so that its meta page may refer to
// an old tree in which nothing is wrong, but the header in that tree says which commit
// it belongs to. Open then falls back to the commit before, whose pages a commit never
// overwrites. Everything that was acknowledged is still there.
//
// Why is there a mark beside the store? No check of the file can show that the whole file
// is missing, or is an older one that somebody put back. After each commit its number is
// written to the file .mark, which takes 3 µs and no sync. A store that ends before its
// mark is behind: its records are used, and the host takes over from the backends what
// they lack. Its journal starts anew, since its numbers were used for other events.
//
// Why are functions in a shared commit undone one by one? bbolt has no savepoints.
// Running the other functions again, as its own batches do, would call a function an
// unknown number of times. All writes go through two methods of [Tx], so a list of the
// previous values is enough.
//
// Why is the file compacted when it is opened, and not before? bbolt reuses free pages
// and never gives them back. What records may take is bounded, so the file grows far
// beyond them only by accident, and one copy at the next start is enough.
package store
