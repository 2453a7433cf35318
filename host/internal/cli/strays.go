package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 92, (*App).adoptCommand)

func (a *App) adoptCommand() *cobra.Command {
	return &cobra.Command{
		Use:                   "adopt STRAY...",
		DisableFlagsInUseLine: true,
		Short:                 "Make strays containers of this host",
		Long: `Make strays containers of this host. Strays are what is left of containers whose
records are lost, such as those that a host had started whose state directory is gone;
davit ps --strays lists them. What runs does not notice. Output without a container
becomes a container that has ended.`,
		Example: "  davit adopt 4f2a",
		Args:    some,
		RunE: func(cmd *cobra.Command, args []string) error {
			client := a.Client()
			return a.together(args, func(ref string) error {
				_, err := client.AdoptStray(cmd.Context(), ref)
				return err
			})
		},
	}
}

// psStrays lists the strays.
func (a *App) psStrays(ctx context.Context, quiet, full bool, form Format) error {
	strays, err := a.Client().Strays(ctx)
	if err != nil {
		return err
	}
	id, cut := api.ShortID, shorten
	if full {
		id, cut = func(id string) string { return id }, func(s string, _ int) string { return s }
	}
	switch {
	case quiet:
		for _, s := range strays {
			fmt.Fprintln(a.Stdout, id(s.ID))
		}
		return nil
	case form == AsJSON:
		return PrintJSON(a.Stdout, strays)
	}
	now := time.Now()
	rows := make([][]string, len(strays))
	for i, s := range strays {
		what := s.What
		if s.Problem != "" {
			what += " (cannot be adopted: " + s.Problem + ")"
		}
		rows[i] = []string{id(s.ID), s.Name, s.Backend, cut(commandLine(s.Command), 30), strayState(s, now), Number(s.PID), cut(what, 100)}
	}
	return listing{header: []string{"ID", "NAME", "BACKEND", "COMMAND", "STATE", "PID", "WHAT"}, rows: rows, items: strays, shorter: []string{"COMMAND"}, dispensable: []string{"PID", "BACKEND"}}.print(a.Stdout, form)
}

// strayState describes the state of a stray.
func strayState(s api.Stray, now time.Time) string {
	if s.State != api.StateRunning || s.Since.IsZero() {
		return string(s.State)
	}
	return string(s.State) + " " + since(s.Since, now)
}
