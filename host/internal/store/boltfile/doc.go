// Package boltfile reads the pages of a bbolt database and trusts nothing in them. No
// content can crash it, make it read a page twice, or lead it outside of the file.
//
// [Commits] returns the commits that a file still has, at most the last two.
// [Commit.Walk] visits the records of one and returns what is wrong with it. If there is
// no problem, bbolt can use the file and reads the same records from it.
//
// # Rationale
//
// Why not bbolt's own check? It runs inside an open database. It maps the file, which
// faults if the file is truncated, and follows the numbers in it, which it takes to be
// right. Its report would come after the crash that it should prevent.
//
// Why does a test check the version of bbolt? The layout is bbolt's own affair, and a
// new version may extend it. A reader that does not know a kind of page would call good
// files damaged, and the store would replace them. The test fails when bbolt is upgraded,
// and says what to check first.
//
// Files that bbolt wrote with NoFreelistSync have no free list, and are not read.
package boltfile

// knownVersion is the release of bbolt whose layout this package has been compared
// with.
const knownVersion = "v1.5.0"
