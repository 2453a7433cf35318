// Command davit-executor-containerd is the reference executor: it runs workloads
// through a containerd daemon, with any of its shims.
package main

import (
	"github.com/davit-run/davit/executors/containerd"
	"github.com/davit-run/davit/shared/plugin"
)

// Set by the linker: -X main.version=….
var version = "devel"

func main() { plugin.Serve(containerd.Executor(version)) }
