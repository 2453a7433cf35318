package storm

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Options say what is stormed and how hard.
type Options struct {
	Binaries
	// Seed chooses the faults and the workloads. The moments at which they meet
	// are the machine's.
	Seed uint64
	// Row is one of Rows, or "all".
	Row string
	// Full asks for the full counts of the table instead of small ones.
	Full bool
	// Duration ends a row that has not come to its end; it then fails.
	Duration time.Duration
	// Parallel is how many containers run at a time.
	Parallel int
	// Results is the directory for a JSON file per row, "" for none.
	Results string
	// Keep keeps the storm's directory if there were violations.
	Keep bool
	// Verbose logs every fault.
	Verbose bool
	Out     io.Writer

	programs *programs
}

// row is a part of the storm that can be run alone.
type row struct {
	name, about string
	// failpoints says that the programs are built with failpoints; mortal, that the
	// host may end by itself; lenient, that containers may fail to start; rewrites,
	// that the journal of events is lost by what is done; network, that the host has a
	// network of its own.
	failpoints, mortal, lenient, rewrites, network bool
	// targets chooses other targets than all.
	targets func(Options) []target
	do      func(context.Context, *storm)
}

// rows returns the rows with their counts.
func (opts Options) rows() []row {
	n := func(full, small int) int {
		if opts.Full {
			return full
		}
		return small
	}
	return []row{
		{
			name: "kills", about: "host, executor and containerd killed, alone and together, in all phases",
			do: kills(map[string]int{
				killsHost: n(1000, 36), killsExecutor: n(1000, 36), killsContainerd: n(200, 12),
				killsHostExec: n(200, 12), killsHostDaemon: n(200, 12), killsExecDaemon: n(200, 12),
				killsAll: n(60, 6), stopsExecutor: n(30, 6), downsContainerd: n(30, 6),
			}, true),
		},
		{
			name: "shims", about: "shims and monitors of running containers killed",
			// A module is one process with its monitor, which is no loss of its exit.
			targets: func(opts Options) []target {
				return slices.DeleteFunc(opts.targets(), func(t target) bool { return t.inline })
			},
			do: shimKills(n(100, 18)),
		},
		{
			name: "down", about: "containerd down while containers exit",
			targets: func(opts Options) []target { return opts.downTargets(n(5, 1)) },
			do:      downs(n(2, 1), time.Duration(n(60, 8))*time.Second),
		},
		{
			name: "store", about: "the store truncated, zeroed, with flipped bits, locked or of a newer schema",
			mortal: true, rewrites: true, do: damages(n(1000, 50)),
		},
		{
			name: "lost", about: "the state removed or put back to an older one, alone and with what is beside it",
			rewrites: true, do: loseStates(n(300, 24)),
		},
		{
			name: "failpoints", about: "every failpoint: the process killed, stopped, panicking, failing, slow",
			failpoints: true, mortal: true, lenient: true, do: visitAll(n(5, 1)),
		},
		{
			name: "executors", about: "executors that hang, are stopped, slow or lying on a call",
			failpoints: true, lenient: true, targets: Options.misbehaving, do: misbehave(n(5, 1)),
		},
		{
			name: "starts", about: "starts that are slow, hang, or end their executor",
			failpoints: true, targets: Options.startTargets, do: starts(n(5, 1)),
		},
		{
			name: "streams", about: "streams to and from commands in a container, and a container's own, with all that serves them killed",
			targets: func(opts Options) []target {
				return slices.DeleteFunc(opts.targets(), func(t target) bool { return t.inline }) // there is no exec in a module
			},
			do: passStreams(n(20, 1)),
		},
		{
			name: "terminals", about: "containers at terminals, with all that serves them killed",
			targets: func(opts Options) []target {
				return slices.DeleteFunc(opts.targets(), func(t target) bool { return t.inline }) // a module has no terminal
			},
			do: terminals(n(20, 1)),
		},
		{
			name: "health", about: "health checks of running containers, with all that serves them killed",
			targets: func(opts Options) []target {
				return slices.DeleteFunc(opts.targets(), func(t target) bool { return t.inline }) // there is no command in a module
			},
			do: checkHealths(n(20, 1)),
		},
		{
			name: "networks", about: "containers on a network with published ports, with all that serves them killed, restarts, and rules that others flush",
			network: true, targets: Options.networkTargets,
			do: networks(map[string]int{
				killsHost: n(300, 6), killsHolder: n(300, 6), killsHostHolder: n(200, 6), killsExecutor: n(100, 3),
				killsHostExec: n(100, 3), killsContainerd: n(60, 3), killsAll: n(30, 0), killsResolver: n(200, 6), flushesRules: n(200, 6),
			}),
		},
		{
			name: "images", about: "images pulled, loaded, imported, run, committed, saved and removed, with host and executors killed",
			targets: Options.imageTargets, do: images(n(200, 30)),
		},
		{
			name: "bugs", about: "deliberate bugs, one per invariant, each noticed",
			failpoints: true, do: noticeBugs,
		},
	}
}

// Rows names the rows.
func Rows() []string {
	var names []string
	for _, r := range (Options{}).rows() {
		names = append(names, r.name)
	}
	return names
}

// Run runs one row or all, one after the other, and prints what came of each. The
// error says that it could not be run, or how many violations there were.
func Run(ctx context.Context, opts Options) error {
	opts.Out = &lockedWriter{w: opts.Out}
	var err error
	if opts.programs, err = newPrograms(opts.Module); err != nil {
		return err
	}
	defer func() { _ = opts.programs.remove() }()
	violations := 0
	known := false
	for _, r := range opts.rows() {
		if opts.Row != "all" && opts.Row != r.name {
			continue
		}
		known = true
		report := newReport(opts.Out)
		report.versions = opts.versions()
		fmt.Fprintf(opts.Out, "\n%s (%s), seed %d, %s\n", r.name, r.about, opts.Seed, strings.Join(report.versions, ", "))
		if err := opts.run(ctx, r, report); err != nil {
			return fmt.Errorf("row %s: %w", r.name, err)
		}
		if err := report.finish(opts, r); err != nil {
			return err
		}
		violations += report.failed()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if !known {
		return fmt.Errorf("there is no row %q; the rows are: all, %s", opts.Row, strings.Join(Rows(), ", "))
	}
	if violations > 0 {
		return fmt.Errorf("%d violations", violations)
	}
	return nil
}
