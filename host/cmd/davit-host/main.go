// Command davit-host is davit with the host in it. Users call davit, a smaller program
// that becomes this one where it has to; see package cli.
package main

import (
	"context"
	"os"

	"github.com/davit-run/davit/host/internal/cli"
)

// Set by the linker: -X main.version=… -X main.commit=….
var version, commit string

func main() {
	os.Exit(cli.New(version, commit).Main(context.Background(), os.Args[1:]))
}
