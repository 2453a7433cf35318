// Command davit-executor-process is the executor that runs processes on the host.
// It is also the monitor of each of them.
package main

import (
	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/executors/process"
	"github.com/davit-run/davit/shared/plugin"
)

func main() {
	monitor.Main(nil)
	plugin.Serve(process.Executor())
}
