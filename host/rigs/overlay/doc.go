// Package overlay makes what `go build -overlay` takes: davit's sources as they are,
// changed in memory. The storm builds davit with seams at which it can strike, and
// with deliberate bugs that it must notice; the test that cuts the power builds a
// host that syncs nothing. So no product source has code or marks for them.
//
// There are three kinds of change, each as small as it can be:
//
//   - a seam is a function of davit's (seams, in seam.go): what its calls pass on
//     their way in and out;
//   - a swap is a function of somebody else's (swaps, in swap.go), which is replaced
//     wherever davit's sources use it: what writes files, and what makes clients of
//     daemons and shims;
//   - a patch is a file in patches, in the form of a unified diff without numbers of
//     lines. Its hunks must each fit at exactly one place.
//
// # Rationale
//
// Why no copies of changed files? They would stay behind what they were copied from,
// and nobody would notice. A patch that does not fit any more, like a seam that is
// not there any more, fails the test of this package, which also compiles all that
// is changed.
//
// Why are lines not moved? Panics and races of the changed programs are looked up in
// the sources. What seams and swaps add stands on lines that are there.
package overlay
