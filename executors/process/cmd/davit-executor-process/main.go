// Command davit-executor-process is the executor that runs processes on the host.
// It is also the monitor of each of them, and then this main is not reached.
package main

import (
	"github.com/davit-run/davit/executors/process"
	"github.com/davit-run/davit/shared/plugin"
)

// Set by the linker: -X main.version=….
var version = "devel"

func main() { plugin.Serve(process.Executor(version)) }
