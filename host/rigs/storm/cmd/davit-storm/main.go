// Davit-storm kills davit for a while and checks that nothing is lost; see package
// storm. It needs root, Debian's containerd and runc, and the containerds that
// `make deps` builds.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/davit-run/davit/host/rigs/storm"
)

func main() {
	opts := storm.Options{Out: os.Stdout}
	flag.Uint64Var(&opts.Seed, "seed", uint64(time.Now().UnixNano()), "`NUMBER` that chooses faults and workloads")
	flag.StringVar(&opts.Row, "row", "all", "`NAME` of what to run: all, "+strings.Join(storm.Rows(), ", "))
	counts := flag.String("counts", "small", "`HOW` many faults: small, or full for those of the table")
	flag.DurationVar(&opts.Duration, "duration", time.Hour, "end a row after that time; it fails if faults are missing then")
	flag.IntVar(&opts.Parallel, "parallel", 12, "containers that run at a time")
	flag.StringVar(&opts.Results, "results", ".build/storm", "`DIR` for a file of results per row")
	table := flag.Bool("table", false, "print the table of the results that are there, and run nothing")
	peers := flag.Bool("peers", false, "compare with ctr, and with dockerd if that is installed, and run nothing else")
	flag.BoolVar(&opts.Keep, "keep", false, "keep the directory if there were violations")
	flag.BoolVar(&opts.Verbose, "v", false, "print every fault")
	flag.StringVar(&opts.Module, "module", ".", "`DIR` of davit's source")
	flag.StringVar(&opts.Debian, "debian", "/usr/bin/containerd", "`PATH` of Debian's containerd 1.6")
	flag.StringVar(&opts.Newest, "newest", "", "`PATH` of a containerd 2 (default: the one in .build/deps)")
	flag.Parse()
	opts.Full = *counts == "full"
	if opts.Newest == "" {
		opts.Newest = newest(opts.Module)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := fmt.Errorf("--counts %s: want small or full", *counts)
	switch {
	case *table:
		err = storm.Table(os.Stdout, opts.Results)
	case *peers:
		err = storm.Peers(ctx, opts)
	case opts.Full || *counts == "small":
		err = storm.Run(ctx, opts)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "davit-storm:", err)
		os.Exit(1)
	}
}

// newest returns the containerd 2 that `make deps` built, or its name.
func newest(module string) string {
	found, _ := filepath.Glob(filepath.Join(module, ".build/deps/containerd-2.*/bin/containerd"))
	if len(found) == 0 {
		return "containerd"
	}
	path, err := filepath.Abs(found[len(found)-1])
	if err != nil {
		return found[len(found)-1]
	}
	return path
}
