// Command davit-executor-hello is a davit executor. It runs the process of an OCI
// spec on this machine, in the spec's root directory and with no other isolation.
package main

import (
	"os"

	"github.com/davit-run/davit/shared/plugin"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == monitorArg {
		os.Exit(monitor())
	}
	plugin.Serve(newExecutor())
}
