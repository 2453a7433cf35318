package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 31, (*App).execsCommand)

func (a *App) execsCommand() *cobra.Command {
	var quiet, full bool
	cmd := &cobra.Command{
		Use:   "execs [flags] CONTAINER",
		Short: "List the further commands that run, or have run, in a container",
		Long: `List the commands that davit exec has started in a container: those that run, and the last
20 that have ended. The output of one that was started with -d, or with a terminal, is
kept until then, and printed by ` + "`davit logs --exec ID`" + `.`,
		Example: "  davit execs web\n  davit execs -q web\n  davit execs --format '{{.ID}} {{.exit.code}}' web",
		Args:    oneContainer,
	}
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print only ids")
	cmd.Flags().BoolVar(&full, "no-trunc", false, "do not shorten commands")
	form := listFormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		list, err := a.Client().Execs(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		switch {
		case quiet:
			for _, e := range list {
				fmt.Fprintln(a.Stdout, e.ID)
			}
			return nil
		case *form == AsJSON:
			return PrintJSON(a.Stdout, list)
		}
		slices.Reverse(list) // people look for the newest
		return execListing(list, full, time.Now()).print(a.Stdout, *form)
	}
	return cmd
}

// execListing returns the table of execs.
func execListing(list []api.Exec, full bool, now time.Time) listing {
	rows := make([][]string, len(list))
	for i, e := range list {
		command := commandLine(e.Command)
		if !full {
			command = shorten(command, 40)
		}
		rows[i] = []string{e.ID, command, Number(e.PID), ago(e.CreatedAt, now), execStatus(e, now)}
	}
	l := listing{header: []string{"ID", "COMMAND", "PID", "CREATED", "STATUS"}, rows: rows, items: list}
	if !full {
		l.shorter, l.dispensable = []string{"COMMAND"}, []string{"PID", "CREATED"}
	}
	return l
}

// execStatus describes the state of an exec as that of a container is described.
func execStatus(e api.Exec, now time.Time) string {
	return status(api.Container{State: e.State, StartedAt: e.StartedAt, FinishedAt: e.FinishedAt, Exit: e.Exit}, now)
}

// oneContainer requires a container, and nothing else.
func oneContainer(cmd *cobra.Command, args []string) error {
	if err := some(cmd, args); err != nil {
		return err
	}
	return AtMost(1)(cmd, args)
}

// execFlag registers --exec, with which a command is about an exec of its one container.
func (a *App) execFlag(cmd *cobra.Command, exec *string, usage string) {
	cmd.Flags().Var((*filled)(exec), "exec", usage)
	complete := func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) != 1 {
			return nil, cobra.ShellCompDirectiveNoFileComp // whose execs is not known yet
		}
		return a.completion(execIDs(args[0]), true)(cmd, nil, begun)
	}
	_ = cmd.RegisterFlagCompletionFunc("exec", complete) // fails if there is one
}

// execIDs returns the ids of the execs of a container.
func execIDs(container string) values {
	return func(ctx context.Context, c *api.Client) (ids []string) {
		all, _ := c.Execs(ctx, container)
		for _, e := range all {
			ids = append(ids, e.ID)
		}
		return ids
	}
}

// execOf requires that --exec stands with one container.
func execOf(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("--exec is for one container, and %d are given (%s)", len(args), strings.Join(args, " "))
	}
	return nil
}

// waitExec waits for the end of an exec and prints its exit code.
func (a *App) waitExec(ctx context.Context, container, exec string) error {
	end, err := a.Client().WaitExec(ctx, container, exec)
	if err != nil {
		return err
	}
	code, known := end.ExitCode()
	if !known {
		return fmt.Errorf("exec %s of container %s was lost, so its exit code is not known: %s", exec, container, end.Reason)
	}
	fmt.Fprintln(a.Stdout, code)
	return nil
}

// killExec sends a signal to an exec.
func (a *App) killExec(ctx context.Context, container, exec string, sig executor.Signal) error {
	err := a.Client().KillExec(ctx, container, exec, sig)
	if err == nil {
		fmt.Fprintln(a.Stdout, exec)
	}
	return err
}

// execLogs prints the output of an exec.
func (a *App) execLogs(ctx context.Context, container, exec string, opts api.LogOptions) error {
	if opts.Attempt != 0 {
		return errors.New("an exec has no attempts; leave out --attempt and --previous")
	}
	return a.Client().ExecLogs(ctx, container, exec, opts, a.output)
}
