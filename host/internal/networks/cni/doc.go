// Package cni runs the plugins of CNI, the Container Network Interface: programs that connect
// a network namespace to a network, one after another, as a file .conflist lists them.
//
//	DIR/ID/lock      is locked while plugins run for the namespace ID; they inherit it
//	DIR/ID/results   what libcni wants to find in files, for the time of a call
//
// What has to be known later is the caller's to keep: the text of the list, and what ADD has
// returned ([Result.Kept]). [Runner.Del] takes both, and so takes back what was made, whatever
// has become of the file and of the directory since.
//
// # Rationale
//
// Why a lock that plugins inherit? A plugin outlives the host that has started it and was
// killed. A DEL of the next host could return before the ADD has made anything. The lock is
// free once no such plugin is left. Whoever wants it waits for a while, and then kills those
// that have it.
//
// Why are the results not left in the directory of libcni? A file there is written after the
// plugins have done their work, so it is missing after a crash, and whoever clears /var/lib
// takes it away. Plugins that are called without it return success, and leave their rules.
package cni
