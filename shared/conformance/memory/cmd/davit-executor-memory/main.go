// Command davit-executor-memory is the memory executor as a program, for tests
// of what only processes can show: crashes, restarts, adoption.
package main

import (
	"github.com/davit-run/davit/shared/conformance/memory"
	"github.com/davit-run/davit/shared/plugin"
)

func main() {
	memory.RunWorkload()
	plugin.Serve(memory.NewProcesses())
}
