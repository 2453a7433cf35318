// Faultyfs mounts a file system that passes everything on to a directory, until it
// is asked to fail:
//
//	faultyfs DIR BACKING
//
// mounts what BACKING holds on DIR, and answers with an empty line when that is done,
// and again whenever it has read the number of an error from its standard input.
// From then on what a disk without room (28) or a read-only one (30) cannot do fails;
// 0 ends that. It unmounts when its input ends.
//
// # Rationale
//
// Why a program in a module of its own? It needs a FUSE library, which is thus no
// requirement of davit's: go.sum has 194 lines instead of 198. Modules that build on
// davit never saw it, since their go.sum has what they compile alone (an executor's
// 76 lines, and 109 where the host is embedded, before and after). The kernel has
// nothing that would do instead: it refuses to make a file system read-only that has files open
// for writing, and ext4 that has made itself read-only after an error does not become
// writable again.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: faultyfs DIR BACKING")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "faultyfs:", err)
		os.Exit(1)
	}
}

func run(dir, backing string) error {
	f, err := mount(dir, backing)
	if err != nil {
		return err
	}
	fmt.Println()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); fmt.Println() {
		errno, err := strconv.Atoi(lines.Text())
		if err != nil {
			return err
		}
		f.fault.Store(int32(errno))
	}
	if err := f.server.Unmount(); err != nil { // in use
		return unix.Unmount(dir, unix.MNT_DETACH)
	}
	return nil
}
