// Package runner is the process in which a module runs. A program that imports it
// becomes such a process before its main begins, when package monitor starts it for a
// job of this package.
package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/executors/wasm/internal/engine"
	"golang.org/x/sys/unix"
)

// name is the name of our function among those of package monitor.
const name = "wasm"

func init() { monitor.Inline(name, run) } //nolint:gochecknoinits // see Inline

// TimedOut is the exit code of a module that has run for too long: the code of a
// process that was killed.
const TimedOut = 128 + 9

// Plan says what to run, and for how long at most; 0 is no limit.
type Plan struct {
	engine.Plan
	Timeout time.Duration `json:"timeout,omitempty"`
}

// Job returns the job that runs a plan.
func Job(p Plan) (monitor.Job, error) {
	input, err := json.Marshal(p)
	return monitor.Job{Inline: name, Input: input}, err
}

// run is a monitor.InlineFunc.
func run(input []byte, stdio monitor.Stdio, started func() error) (int, error) {
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
		r.code, r.err = program.Run(ctx, engine.Stdio(stdio), func() error {
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
		fmt.Fprintf(stdio.Err, "%s: ended after its timeout of %s\n", p.Args[0], p.Timeout)
		return TimedOut, nil
	}
}

// prepare prepares the Go runtime for a module, which may compute for ever and never
// release its thread. With a single thread nothing else could run, and a garbage
// collection that the module did not cause itself would wait for it and stop all
// other goroutines. So there is no collection while the heap, to which the module's
// memory does not belong, stays small.
func prepare() {
	const grown = 64 << 20
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	debug.SetMemoryLimit(int64(stats.Sys-stats.HeapReleased) + grown)
	debug.SetGCPercent(-1)
}

// limitCPU lets the kernel kill a module that never stops computing, if it keeps this
// process from doing so.
func limitCPU(timeout time.Duration) error {
	seconds := uint64(math.Ceil(timeout.Seconds())) + 5
	limit := unix.Rlimit{Cur: seconds, Max: seconds}
	return unix.Prlimit(0, unix.RLIMIT_CPU, &limit, nil)
}
