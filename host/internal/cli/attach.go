package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/docker/go-units"
	"golang.org/x/sys/unix"
)

// attach runs a container in the foreground.
func (a *App) attach(ctx context.Context, opts api.ContainerOptions, cidfile *cidfile, attached attachFlags) error {
	client := a.Client()
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	signal.Ignore(syscall.SIGPIPE) // if the reader goes away, the write returns an error
	signals := make(chan os.Signal, 32)
	if attached.signals {
		signal.Notify(signals, forwarded...)
		defer signal.Stop(signals)
	}

	ids := make(chan string, 1)
	forwarding, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		send := func(id string, sig executor.Signal) bool { return a.sendSignal(forwarding, client, id, sig) }
		forward(forwarding, signals, ids, send, a.away.Load, func() { leave(errLeft) })
	})
	id, explained := "", func() {}
	defer func() { explained() }()
	started := func(c api.Container) error {
		id = c.ID
		ids <- id
		explained = a.explainWait(ctx, id, unwatchedPoll)
		a.attachedTo(attached, id)
		if err := cidfile.write(id); err != nil {
			a.complain(err)
		}
		return nil
	}
	end, err := client.RunAttached(ctx, opts, api.Attachment{Started: started, Output: a.attachedOutput(attached), Dropped: a.dropped})
	stop()
	wg.Wait()
	if err != nil && errors.Is(context.Cause(ctx), errLeft) {
		return runError(left(id))
	}
	if err != nil {
		return runError(unfinished(err, id))
	}
	return a.ended("container "+api.ShortID(id), end, opts.Process.MemoryBytes)
}

// sendSignal sends a signal to a container, and reports whether a host was there to take it.
func (a *App) sendSignal(ctx context.Context, client *api.Client, id string, sig executor.Signal) (reached bool) {
	err := client.Kill(ctx, id, sig)
	if err == nil || ctx.Err() != nil || errors.Is(err, executor.FailedPrecondition) || errors.Is(err, executor.NotFound) {
		return true // sent, or too late
	}
	a.complain(fmt.Errorf("signal %s was not forwarded: %w", unix.SignalName(sig), err))
	return !api.Unreachable(err)
}

// unfinished adds to an error that the container runs on, if it has started and the
// error does not say what became of it.
func unfinished(err error, id string) error {
	switch executor.CodeOf(err) {
	case executor.Unavailable, executor.OutcomeUnknown, executor.Internal:
		if id != "" {
			short := api.ShortID(id)
			return fmt.Errorf("%w; container %s runs on: see `davit logs -f %s`, or `davit stop %s`", err, short, short, short)
		}
	}
	return err
}

// explain prints, on a terminal, the reason of an end that the code alone does not
// explain. memory is the limit in bytes, 0 if it is not known.
func (a *App) explain(end *api.End, memory int64) {
	if end.OOM == nil || !*end.OOM || !isTerminal(a.Stderr) {
		return
	}
	limit := ""
	if memory > 0 {
		limit = fmt.Sprintf(" (limit %s)", units.BytesSize(float64(memory)))
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
