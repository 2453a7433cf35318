// Command davit-executor-wasm is the executor that runs WebAssembly modules. It is
// also the process in which each of them runs.
package main

import (
	"github.com/davit-run/davit/executors/wasm"
	"github.com/davit-run/davit/shared/plugin"
)

// Set by the linker: -X main.version=….
var version = "devel"

func main() { plugin.Serve(wasm.Executor(version)) }
