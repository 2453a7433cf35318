// Package leftovers runs a command, such as a test run, and looks at the whole machine
// for what it has left behind:
//
//	davit-leftovers go test ./...
//
// It ends with the command's own status, or with 1 when something is left:
//
//	process    that descends from the command
//	file       in the directory for temporary files, which is the command's own, and
//	           in the places on which shims and runtimes keep theirs
//	mount      named as one of davit's, and with it a namespace that is kept by its file
//	cgroup     below davit's, that has no process
//	socket     whose path is in the directory for temporary files
//	device     a loop device of a file there, or a mapped one
//	link       of the network
//	table      of nftables
//
// What was there before does not count, and neither does what is gone soon: kernel and
// shims tidy up in the background. Processes that are left are killed, so that they
// harm nobody else. All else stays, to be looked at. Records of a containerd are looked
// for by package realtest, when it stops the daemon of a test.
//
// # Rationale
//
// Why around the command, and not before and after it? Its orphans become children of
// the one that called prctl(PR_SET_CHILD_SUBREAPER), however they have been started. So
// it is known which processes are left, also where others run tests of davit at the
// same time.
//
// Why a directory for temporary files? What is left there needs no guess whose it is.
// Mounts, sockets and loop devices are known by that path, too.
//
// Why do cgroups with processes not count? Those of the command are gone or listed as
// processes. The others belong to another run.
package leftovers
