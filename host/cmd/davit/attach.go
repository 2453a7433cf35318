package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/docker/go-units"
	"golang.org/x/sys/unix"
)

// attach runs a container in the foreground.
func (a *app) attach(ctx context.Context, opts host.ContainerOptions) error {
	client := a.client()
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	signal.Ignore(syscall.SIGPIPE) // a reader that goes away is an error of the write
	signals := make(chan os.Signal, 32)
	signal.Notify(signals, forwarded...)
	defer signal.Stop(signals)

	ids := make(chan string, 1)
	forwarding, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		send := func(id string, sig executor.Signal) { a.sendSignal(forwarding, client, id, sig) }
		forward(forwarding, signals, ids, send, a.away.Load, func() { leave(errLeft) })
	})
	id := ""
	started := func(c host.Container) error {
		id = c.ID
		ids <- id
		return nil
	}
	end, err := client.RunAttached(ctx, opts, host.Attachment{Started: started, Output: a.output, Dropped: a.dropped})
	stop()
	wg.Wait()
	if err != nil && errors.Is(context.Cause(ctx), errLeft) {
		return runError(left(id))
	}
	if err != nil {
		return runError(unfinished(err, id))
	}
	if end.Output == executor.Truncated {
		a.complain(fmt.Errorf("the output of container %s may be incomplete", id))
	}
	if end.Code == nil {
		return &codeError{exitRunFailed, fmt.Errorf("container %s was lost, so its exit code is not known: %s", id, end.Reason)}
	}
	a.explain(end, opts)
	if *end.Code != 0 {
		return &codeError{code: *end.Code}
	}
	return nil
}

func (a *app) sendSignal(ctx context.Context, client *api.Client, id string, sig executor.Signal) {
	err := client.Kill(ctx, id, sig)
	if err == nil || ctx.Err() != nil || errors.Is(err, executor.FailedPrecondition) || errors.Is(err, executor.NotFound) {
		return // given, or too late
	}
	a.complain(fmt.Errorf("signal %s was not forwarded: %w", unix.SignalName(sig), err))
}

// unfinished adds to an error what became of the container, if it has started and
// the error does not say so itself.
func unfinished(err error, id string) error {
	switch executor.CodeOf(err) {
	case executor.Unavailable, executor.OutcomeUnknown, executor.Internal:
		if id != "" {
			return fmt.Errorf("%w; container %s runs on: see `davit logs -f %s`, or `davit stop %s`", err, id, id, id)
		}
	}
	return err
}

// explain tells a person about an end that the code alone does not explain.
func (a *app) explain(end *host.End, opts host.ContainerOptions) {
	if end.OOM == nil || !*end.OOM || !isTerminal(a.stderr) {
		return
	}
	limit := ""
	if opts.Process.MemoryBytes > 0 {
		limit = fmt.Sprintf(" (limit %s)", units.BytesSize(float64(opts.Process.MemoryBytes)))
	}
	a.complain(fmt.Errorf("killed: out of memory%s", limit))
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
