// Command davit is the command line of davit. It has the commands that talk to a host
// over its Unix socket. For the others, such as `davit serve`, it becomes davit-host, in
// the same process.
package main

import (
	"context"
	"os"

	"github.com/davit-run/davit/host/internal/cli"
)

// Set by the linker: -X main.version=… -X main.commit=….
var version, commit string

func main() {
	app := cli.New(version, commit)
	app.Elsewhere = becomeHost
	os.Exit(app.Main(context.Background(), os.Args[1:]))
}
