package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/davit-run/davit/host/api"
)

// each calls do for each argument, also when do fails for another. What is pending was
// accepted: the user is told, and it is no failure.
func (a *App) each(args []string, do func(arg string) error) error {
	failed := false
	for _, arg := range args {
		err := do(arg)
		a.complain(err)
		if _, pending := errors.AsType[*api.PendingError](err); err != nil && !pending {
			failed = true
		}
	}
	if failed {
		return &ExitError{Code: ExitFailed}
	}
	return nil
}

// errSkipped is the error for a container for which there is nothing to do.
var errSkipped = errors.New("skipped")

// together calls do for containers, several at once, and prints those for which it
// succeeded, in the order of refs. At a terminal it shows for which one it waits, if that
// takes a while.
func (a *App) together(refs []string, do func(ref string) error) error {
	results := make([]chan error, len(refs))
	slots := make(chan struct{}, 16)
	for i, ref := range refs {
		results[i] = make(chan error, 1)
		go func() {
			slots <- struct{}{}
			results[i] <- do(ref)
			<-slots
		}()
	}
	next := 0
	return a.each(refs, func(ref string) error {
		err := a.awaited(ref, results[next])
		next++
		if err == nil {
			fmt.Fprintln(a.Stdout, ref)
		}
		if errors.Is(err, errSkipped) {
			return nil
		}
		return err
	})
}

// awaited returns what comes from result, and shows meanwhile that it is waited for.
func (a *App) awaited(ref string, result <-chan error) error {
	line := a.statusLine(false)
	defer line.done()
	tick := time.NewTicker(silence)
	defer tick.Stop()
	for {
		select {
		case err := <-result:
			return err
		case <-tick.C:
			if line.due(silence) {
				line.show(fmt.Sprintf("waiting for %s, %s", shorten(Printable(ref), 40), since(line.began, time.Now())))
			}
		}
	}
}
