// Command protocol1 speaks protocol 1 as it was when it was frozen. It is a real
// executor, and a real host, and shares no code with davit: what is sent is
// written here from the standard library and yamux up. THIS PROGRAM IS NEVER
// CHANGED: if a later davit does not get on with it, that davit is wrong, or needs
// a new protocol beside this one.
//
// Started by a host it is an executor. `protocol1 host EXECUTOR DIR` is a host: it
// starts EXECUTOR, a memory executor, with DIR for its files, calls everything that
// protocol 1 has, and exits with 1 at the first answer that is not as it was.
package main

import (
	"fmt"
	"os"
)

const (
	cookieName  = "DAVIT_EXECUTOR"
	cookieValue = "d9a1f2a4c7e84c0f8f0c6f7a3c0d5be1"
	socketDir   = "PLUGIN_UNIX_SOCKET_DIR"
)

func main() {
	switch {
	case len(os.Args) == 4 && os.Args[1] == "host":
		host(os.Args[2], os.Args[3])
	case os.Getenv(cookieName) == cookieValue:
		execute()
	default:
		fail("usage: protocol1 host EXECUTOR DIR")
	}
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "protocol1: "+format+"\n", args...)
	os.Exit(1)
}
