package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/shared/executor"
	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func (a *app) psCommand() *cobra.Command {
	var all, quiet, full bool
	cmd := &cobra.Command{
		Use:     "ps [flags]",
		Aliases: []string{"ls", "list"},
		Short:   "List containers",
		Example: "  davit ps\n  davit ps -a --format json\n  davit rm $(davit ps -aq)",
		Args:    atMost(0),
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "also those that have ended")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "only the ids")
	cmd.Flags().BoolVar(&full, "no-trunc", false, "do not shorten commands and messages")
	form := formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.ps(cmd.Context(), all, quiet, full, *form)
	}
	return cmd
}

func (a *app) ps(ctx context.Context, all, quiet, full bool, form format) error {
	containers, err := a.client().List(ctx)
	if err != nil {
		return err
	}
	if !all {
		containers = slices.DeleteFunc(containers, func(c host.Container) bool {
			return c.State == host.StateExited || c.State == host.StateFailed
		})
	}
	switch {
	case quiet:
		for _, c := range containers {
			fmt.Fprintln(a.stdout, c.ID)
		}
		return nil
	case form == asJSON:
		return printJSON(a.stdout, containers)
	}
	slices.Reverse(containers) // the newest are what people look for
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
	return printTable(a.stdout, []string{"ID", "NAME", "BACKEND", "RUNTIME", "COMMAND", "CREATED", "STATUS"}, rows)
}

// status says in words where a container stands.
func status(c host.Container, now time.Time) string {
	switch c.State {
	case host.StateRunning, host.StatePaused:
		words := string(c.State) + " " + since(c.StartedAt, now)
		if len(c.OutputLost) > 0 {
			words += ", output incomplete"
		}
		return words
	case host.StateRestarting:
		why := c.Error
		if c.Exit != nil {
			why = strings.Join(exitDetails(c.Exit), ", ")
		}
		return fmt.Sprintf("restarting (%s) in %s", why, since(now, c.RestartAt))
	case host.StateFailed:
		return "failed: " + c.Error
	case host.StateExited:
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

// exitDetails says what is worth knowing about an end, the code first.
func exitDetails(end *host.End) []string {
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
