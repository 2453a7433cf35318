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
	"syscall"
	"time"

	"github.com/davit-run/davit/host/storm"
)

func main() {
	opts := storm.Options{Out: os.Stdout}
	flag.Uint64Var(&opts.Seed, "seed", uint64(time.Now().UnixNano()), "`NUMBER` that chooses faults and workloads")
	flag.DurationVar(&opts.Duration, "duration", 10*time.Minute, "how long it storms")
	flag.IntVar(&opts.Kills, "kills", 0, "end after that many faults, if it is not 0")
	flag.IntVar(&opts.Parallel, "parallel", 6, "containers that run at a time")
	flag.BoolVar(&opts.Keep, "keep", false, "keep the directory if there were violations")
	flag.BoolVar(&opts.Verbose, "v", false, "print every fault")
	flag.StringVar(&opts.Module, "module", ".", "`DIR` of davit's source")
	flag.StringVar(&opts.Debian, "debian", "/usr/bin/containerd", "`PATH` of Debian's containerd 1.6")
	flag.StringVar(&opts.Newest, "newest", "", "`PATH` of a containerd 2 (default: the one in .build/deps)")
	flag.Parse()
	if opts.Newest == "" {
		opts.Newest = newest(opts.Module)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := storm.Run(ctx, opts); err != nil {
		fmt.Fprintln(os.Stderr, "davit-storm:", err)
		os.Exit(1)
	}
}

// newest gives the containerd 2 that `make deps` built, or its name.
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
