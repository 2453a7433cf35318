// Command davit-executor-shim is the executor that needs no container daemon. It
// is also davit's own shim, which it starts.
package main

import (
	"github.com/davit-run/davit/executors/shim"
	"github.com/davit-run/davit/executors/shim/minishim"
	"github.com/davit-run/davit/shared/plugin"
)

// Set by the linker: -X main.version=….
var version = "devel"

func main() {
	minishim.Main()
	plugin.Serve(shim.Executor(version))
}
