package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/davit-run/davit/host/api"
)

// unwatchedPoll is how often a command that waits asks whether somebody looks after the
// container.
const unwatchedPoll = 5 * time.Second

// explainWait says on stderr why a command waits for a container that nobody looks after,
// and when somebody does again, until stop is called. It asks for the first time after a
// while.
func (a *App) explainWait(ctx context.Context, ref string, first time.Duration) (stop func()) {
	// It does not wait for a host that goes away, and says nothing of it.
	client := a.newClient()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		said := ""
		for wait := first; ; wait = unwatchedPoll {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
			if c, err := client.Inspect(ctx, ref); err == nil {
				said = a.explainUnknown(c, said)
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// explainUnknown says why the state of a container is not known, unless it was said, and
// returns what was said.
func (a *App) explainUnknown(c api.Container, said string) string {
	switch {
	case c.State != api.StateUnknown && said != "":
		a.complain(fmt.Errorf("container %s is looked after again", api.ShortID(c.ID)))
		return ""
	case c.State == api.StateUnknown && c.Error != said:
		a.complain(fmt.Errorf("waiting for container %s, whose state is not known: %w", api.ShortID(c.ID), errors.New(c.Error)))
		return c.Error
	}
	return said
}
