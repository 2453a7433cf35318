// Command davit-executor-shim is the executor that needs no container daemon. It
// is also the shim for runc that it starts.
package main

import (
	"github.com/davit-run/davit/executors/shim"
	"github.com/davit-run/davit/executors/shim/runcshim"
	"github.com/davit-run/davit/shared/plugin"
)

func main() { plugin.Serve(shim.Executor(runcshim.Main())) }
