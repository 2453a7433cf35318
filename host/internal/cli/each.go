package cli

import (
	"errors"
	"fmt"

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
// succeeded, in the order of refs.
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
		err := <-results[next]
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
