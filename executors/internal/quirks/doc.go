// Package quirks knows what containerd, its shims and OCI runtimes do and say that no
// interface promises: a file for each quirk. Each says in which versions it was seen,
// where it comes from, and when it can go. Tests have the literal text, so that a
// change of an expression cannot lose what was seen.
//
// The versions that were looked at are containerd 1.6.20, 1.7.35 and 2.4.2 with their
// shims, runc 1.1.5 and 1.5.2, and crun.
//
// # Rationale
//
// Why is text matched at all? These errors cross two or three processes as strings:
// runc's stderr becomes the shim's message, and ttrpc and gRPC keep a class of it
// that is mostly "unknown". Where a class or a type exists, that is used and nothing
// is matched.
//
// What if somebody else writes the same words? A workload, a hook or an image can. So
// only a whole message matches, of which they can write but a part, and where it is about
// a container or a command, it has to name ours. What matches then only chooses between
// actions each of which is right for what is really there: a create that starts over
// finds out by record and task what exists. The one exception is [InitCutOff], which says
// how little room it leaves, and is only asked about a start that was never answered.
package quirks
