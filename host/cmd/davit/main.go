// Command davit is a host for OCI workloads and its command line: `davit serve`
// is the host, the other commands talk to it over its Unix socket.
package main

import (
	"context"
	"os"
)

func main() {
	a := app{stdout: os.Stdout, stderr: os.Stderr, env: os.LookupEnv}
	os.Exit(a.main(context.Background(), os.Args[1:]))
}
