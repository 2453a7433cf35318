package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

// Client returns a client of the host that the user means.
func (a *App) Client() *api.Client {
	c := a.newClient()
	c.Patience = a.patience.Or(0)
	c.Gone = func(reason error) {
		a.away.Store(true)
		a.complain(fmt.Errorf("the host is gone, waiting for it to come back: %w", reason))
	}
	c.Back = func() {
		a.away.Store(false)
		a.complain(errors.New("the host is back"))
	}
	return c
}

// ClientOr returns a client of the host that the user names, or else of the one at a socket.
func (a *App) ClientOr(cmd *cobra.Command, socket string) *api.Client {
	if name, _ := a.Env("DAVIT_HOST"); name != "" || cmd.Flags().Changed("host") {
		return a.Client()
	}
	return api.NewClient(socket)
}

// patienceFlag adds --reconnect to a command that waits or streams.
func (a *App) patienceFlag(cmd *cobra.Command) {
	a.patience.Duration = new(5 * time.Minute)
	cmd.Flags().Var(&a.patience, "reconnect", "how long to wait for a host that goes away meanwhile, a `DURATION` or seconds; 0 is not at all")
}
