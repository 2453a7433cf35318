// Package runner is the process in which a module runs. A program that imports it
// becomes one before its main begins, when package monitor starts it for a job
// that this package has made.
package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/executors/wasm/internal/engine"
	"golang.org/x/sys/unix"
)

// name is of our function among those of package monitor.
const name = "wasm"

func init() { monitor.Inline(name, run) } //nolint:gochecknoinits // see Inline

// TimedOut is the exit code of a module that has run for too long: that of a
// process that was killed.
const TimedOut = 128 + 9

// Plan says what is to run, and for how long at most; 0 is for ever.
type Plan struct {
	engine.Plan
	Timeout time.Duration `json:"timeout,omitempty"`
}

// Job makes the job that runs a plan.
func Job(p Plan) (monitor.Job, error) {
	input, err := json.Marshal(p)
	return monitor.Job{Inline: name, Input: input}, err
}

// run is a monitor.InlineFunc.
func run(input []byte, files []*os.File, started func() error) (int, error) {
	var p Plan
	if err := json.Unmarshal(input, &p); err != nil {
		return 0, err
	}
	ctx := context.Background()
	program, err := engine.Load(ctx, p.Plan)
	if err != nil {
		return 0, err
	}
	prepare()
	type result struct {
		code int
		err  error
	}
	results := make(chan result, 1)
	var timeout <-chan time.Time
	begun := make(chan struct{})
	go func() {
		var r result
		r.code, r.err = program.Run(ctx, engine.Stdio{In: files[0], Out: files[1], Err: files[2]}, func() error {
			if p.Timeout > 0 {
				timeout = time.After(p.Timeout)
				if err := limitCPU(p.Timeout); err != nil {
					return err
				}
			}
			err := started()
			close(begun)
			return err
		})
		results <- r
	}()
	select {
	case r := <-results:
		return r.code, r.err
	case <-begun:
	}
	select {
	case r := <-results:
		return r.code, r.err
	case <-timeout:
		fmt.Fprintf(files[2], "%s: ended after its timeout of %s\n", p.Args[0], p.Timeout)
		return TimedOut, nil
	}
}

// prepare makes the Go runtime fit to run a module, which may compute for ever and
// never give up its thread. Nobody else could run on a single one, and a garbage
// collection that it did not ask for itself would wait for it and stop all others.
// So there is none while the heap, to which the module's memory does not belong,
// stays small.
func prepare() {
	const grown = 64 << 20
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	debug.SetMemoryLimit(int64(stats.Sys-stats.HeapReleased) + grown)
	debug.SetGCPercent(-1)
}

// limitCPU lets the kernel end a module that computes on and on, if it stops us
// from doing it.
func limitCPU(timeout time.Duration) error {
	seconds := uint64(math.Ceil(timeout.Seconds())) + 5
	limit := unix.Rlimit{Cur: seconds, Max: seconds}
	return unix.Prlimit(0, unix.RLIMIT_CPU, &limit, nil)
}
