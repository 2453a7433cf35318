package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// forwarded are the signals that are forwarded to a container in the foreground. Signals
// about this process alone are left out: SIGCHLD, SIGURG, SIGPIPE, SIGTSTP …
var forwarded = []os.Signal{
	syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT,
	syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
}

// leaveAfter is the number of SIGINT and SIGTERM after which davit stops waiting for a
// container that does not end, as docker does.
const leaveAfter = 3

// errLeft means that the user does not want to wait any longer.
var errLeft = errors.New("interrupted")

// forward passes signals to send, one at a time, until ctx ends. It keeps those that come
// before there is an id. It calls leave, also while send hangs, at the third SIGINT or
// SIGTERM, and at the first while the host is away, or if send finds that it is
// (reached is false).
func forward(ctx context.Context, signals <-chan os.Signal, ids <-chan string, send func(id string, sig executor.Signal) (reached bool), away func() bool, leave func()) {
	queue := make(chan executor.Signal, cap(signals))
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		var id string
		select {
		case id = <-ids:
		case <-ctx.Done():
			return
		}
		for {
			select {
			case sig := <-queue:
				if !send(id, sig) && interrupts(sig) {
					leave()
					return
				}
			case <-ctx.Done():
				return
			}
		}
	})
	count := 0
	for {
		select {
		case sig := <-signals:
			if interrupts(sig) {
				if count++; count == leaveAfter || away() {
					leave()
					return
				}
			}
			select {
			case queue <- sig.(executor.Signal):
			default: // the queue is full: dropped, as the kernel does
			}
		case <-ctx.Done():
			return
		}
	}
}

// interrupts reports whether a signal asks davit to end.
func interrupts(sig os.Signal) bool { return sig == syscall.SIGINT || sig == syscall.SIGTERM }

// left returns an error that says what becomes of a container that nobody waits for.
func left(id string) error {
	if id == "" {
		return fmt.Errorf("%w; the container may start nevertheless: see `davit ps`", errLeft)
	}
	short := api.ShortID(id)
	return fmt.Errorf("%w; container %s runs on: see `davit stop %s`", errLeft, short, short)
}
