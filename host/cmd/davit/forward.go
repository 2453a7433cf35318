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
	"github.com/davit-run/davit/shared/executor"
)

// forwarded are the signals that a container in the foreground gets. Left out
// are those about this process alone: SIGCHLD, SIGURG, SIGPIPE, SIGTSTP …
var forwarded = []os.Signal{
	syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT,
	syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
}

// leaveAfter is the number of SIGINT and SIGTERM after which davit leaves a
// container that does not end of it, as docker does.
const leaveAfter = 3

// killer sends signals to containers.
type killer interface {
	Kill(ctx context.Context, reference string, sig executor.Signal) error
}

// forwarder gives signals to a container in the foreground. Those that come
// before it runs are kept for it.
type forwarder struct {
	ctx    context.Context // ends when the user has had enough
	leave  context.CancelCauseFunc
	ids    chan string
	id     string // once started
	killer killer
	app    *app
	wg     sync.WaitGroup
	cancel context.CancelFunc // of the loop
}

// leftError says that the user did not want to wait for the end.
type leftError struct{ signal os.Signal }

func (e leftError) Error() string { return "left after " + e.signal.String() }

func (e leftError) about(id string) error {
	if id == "" {
		return errors.New("interrupted; the container may start nevertheless: see davit ps")
	}
	return fmt.Errorf("interrupted; container %s runs on: see davit stop %s", id, id)
}

func newForwarder(ctx context.Context, a *app, k killer) *forwarder {
	f := &forwarder{ids: make(chan string, 1), killer: k, app: a}
	f.ctx, f.leave = context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 32)
	signal.Notify(signals, forwarded...)
	signal.Ignore(syscall.SIGPIPE) // a reader that goes away is an error of the write
	loopCtx, cancel := context.WithCancel(f.ctx)
	f.cancel = cancel
	f.wg.Go(func() {
		defer signal.Stop(signals)
		f.loop(loopCtx, signals)
	})
	return f
}

// started tells the container's id.
func (f *forwarder) started(c host.Container) error {
	f.id = c.ID
	f.ids <- c.ID
	return nil
}

// close ends the forwarding and gives the container's id, if it has started.
func (f *forwarder) close() string {
	f.cancel()
	f.wg.Wait()
	return f.id
}

func (f *forwarder) loop(ctx context.Context, signals <-chan os.Signal) {
	var id string
	var waiting []os.Signal
	interrupts := 0
	for {
		select {
		case id = <-f.ids:
			for _, sig := range waiting {
				f.send(ctx, id, sig)
			}
		case sig := <-signals:
			if sig == syscall.SIGINT || sig == syscall.SIGTERM {
				if interrupts++; interrupts == leaveAfter {
					f.leave(leftError{sig})
					return
				}
			}
			if id == "" {
				waiting = append(waiting, sig)
				continue
			}
			f.send(ctx, id, sig)
		case <-ctx.Done():
			return
		}
	}
}

func (f *forwarder) send(ctx context.Context, id string, sig os.Signal) {
	err := f.killer.Kill(ctx, id, sig.(syscall.Signal))
	if err == nil || ctx.Err() != nil || errors.Is(err, executor.FailedPrecondition) || errors.Is(err, executor.NotFound) {
		return // given, or too late
	}
	f.app.complain(fmt.Errorf("signal %s was not forwarded: %w", sig, err))
}
