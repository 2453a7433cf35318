// Command davit-leftovers runs a command and looks for what it has left on the machine.
// See package leftovers.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/davit-run/davit/host/rigs/leftovers"
)

func main() {
	look := leftovers.Look{Report: os.Stderr, Settle: 30 * time.Second, Most: 100, Cgroups: "/davit", Places: leftovers.Places()}
	status, err := look.Run(os.Args[1:]...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "davit-leftovers:", err)
	}
	os.Exit(status)
}
