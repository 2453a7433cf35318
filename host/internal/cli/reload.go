package cli

import (
	"fmt"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Host, 35, (*App).reloadCommand)

func (a *App) reloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload [flags]",
		Short: "Have the host read its config again; containers run on",
		Long: `Have the host read its config again, and apply what has changed while containers run
on. It starts backends that are added, leaves those that are removed, whose containers
are unknown from then on and run on, and starts the executors again whose settings have
changed. Other backends are not touched. Limits and defaults count for what is made or
started from then on.

It prints what was done, and what is not applied because it takes a restart of the host,
with its place in the config. A config that is not valid changes nothing at all; the
command says why and fails with exit code 1. So it does if a backend is not ready after
a change. SIGHUP does the same, and its result is in the host's log.`,
		Example: "  davit reload\n  davit validate && davit reload\n  davit reload --format json",
		Args:    AtMost(0),
	}
	form := FormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		report, err := a.Client().Reload(cmd.Context())
		if err != nil {
			return err
		}
		var failed error
		for _, c := range report.Changes {
			if c.Problem != "" {
				failed = &ExitError{Code: ExitFailed}
			}
		}
		if *form == AsJSON {
			if err := PrintJSON(a.Stdout, report); err != nil {
				return err
			}
			return failed
		}
		if err := report.Warnings.WriteText(a.Stderr); err != nil {
			return err
		}
		if err := printChanges(a, report.Changes); err != nil {
			return err
		}
		return failed
	}
	return cmd
}

// printChanges prints a line for each change.
func printChanges(a *App, changes []api.ReloadChange) error {
	if len(changes) == 0 {
		_, err := fmt.Fprintln(a.Stdout, "nothing has changed")
		return err
	}
	for _, c := range changes {
		if _, err := fmt.Fprintln(a.Stdout, Printable(c.String())); err != nil {
			return err
		}
	}
	return nil
}
