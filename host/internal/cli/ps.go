package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

var _ = Command(Containers, 20, (*App).psCommand)

func (a *App) psCommand() *cobra.Command {
	var all, quiet, full, strays bool
	cmd := &cobra.Command{
		Use:     "ps [flags]",
		Aliases: []string{"ls", "list"},
		Short:   "List containers",
		Example: "  davit ps\n  davit ps -a --format json\n  davit rm $(davit ps -aq)\n  davit ps --strays",
		Args:    AtMost(0),
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "also those that have ended")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "only the ids")
	cmd.Flags().BoolVar(&full, "no-trunc", false, "do not shorten commands and messages")
	cmd.Flags().BoolVar(&strays, "strays", false, "instead, what is left of containers whose records are lost")
	form := FormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if strays {
			return a.psStrays(cmd.Context(), quiet, full, *form)
		}
		return a.ps(cmd.Context(), all, quiet, full, *form)
	}
	return cmd
}

func (a *App) ps(ctx context.Context, all, quiet, full bool, form Format) error {
	containers, err := a.Client().List(ctx)
	if err != nil {
		return err
	}
	if !all {
		containers = slices.DeleteFunc(containers, func(c api.Container) bool {
			return c.State == api.StateExited || c.State == api.StateFailed
		})
	}
	switch {
	case quiet:
		for _, c := range containers {
			fmt.Fprintln(a.Stdout, c.ID)
		}
		return nil
	case form == AsJSON:
		return PrintJSON(a.Stdout, containers)
	}
	slices.Reverse(containers) // people look for the newest
	now := time.Now()
	cut := shorten
	if full {
		cut = func(s string, _ int) string { return s }
	}
	rows := make([][]string, len(containers))
	for i, c := range containers {
		rows[i] = []string{
			c.ID, c.Name, c.Backend, c.Runtime, cut(commandLine(c.Command), 30),
			units.HumanDuration(now.Sub(c.CreatedAt)) + " ago", cut(status(c, now), 60),
		}
	}
	return PrintTable(a.Stdout, []string{"ID", "NAME", "BACKEND", "RUNTIME", "COMMAND", "CREATED", "STATUS"}, rows)
}

// status describes the state of a container.
func status(c api.Container, now time.Time) string {
	switch c.State {
	case api.StateRunning, api.StatePaused:
		words := string(c.State) + " " + since(c.StartedAt, now)
		if len(c.OutputLost) > 0 {
			words += ", output incomplete"
		}
		return words
	case api.StateUnknown:
		return "unknown: " + c.Error
	case api.StateRestarting:
		why := c.Error
		if c.Exit != nil {
			why = strings.Join(exitDetails(c.Exit), ", ")
		}
		return fmt.Sprintf("restarting (%s) in %s", why, since(now, c.RestartAt))
	case api.StateFailed:
		return "failed: " + c.Error
	case api.StateExited:
		if c.Exit == nil {
			break
		}
		if c.Exit.Source == executor.Lost {
			return "lost: " + c.Exit.Reason
		}
		return fmt.Sprintf("exited (%s) %s ago", strings.Join(exitDetails(c.Exit), ", "), since(c.FinishedAt, now))
	}
	return string(c.State)
}

// exitDetails returns the details of an end, the code first.
func exitDetails(end *api.End) []string {
	var details []string
	if end.Code != nil {
		details = append(details, fmt.Sprint(*end.Code))
	}
	if end.Signal != 0 {
		name := unix.SignalName(end.Signal)
		if name == "" {
			name = fmt.Sprintf("signal %d", int(end.Signal))
		}
		details = append(details, name)
	}
	if end.OOM != nil && *end.OOM {
		details = append(details, "OOM")
	}
	if end.Output == executor.Truncated {
		details = append(details, "output incomplete")
	}
	return details
}
