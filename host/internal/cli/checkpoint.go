package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 127, (*App).checkpointCommand)

func (a *App) checkpointCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "Write down the state of processes, to go on from it later",
		Long: `Write down the state of a container's processes, and go on from it later, with davit start
--checkpoint. This needs the program criu on the machine, and a runtime that uses it, such
as runc.`,
		Example: "  davit checkpoint create web before\n  davit checkpoint ls web\n  davit checkpoint rm web before",
	}
	cmd.AddCommand(a.checkpointCreateCommand(), a.checkpointListCommand(), a.checkpointRemoveCommand())
	return cmd
}

func (a *App) checkpointCreateCommand() *cobra.Command {
	var opts api.CheckpointOptions
	cmd := &cobra.Command{
		Use:   "create [flags] CONTAINER NAME",
		Short: "Make a checkpoint of a container that runs",
		Long: `Make a checkpoint of a container that runs, and print its name. The container ends by that,
unless it is left running, and its restart policy does not start it again. If the
checkpoint cannot be made, the container runs on.

A checkpoint has the state of processes, and not the container's files. It is removed with
the container.`,
		Example: "  davit checkpoint create web before\n  davit checkpoint create --leave-running web noon",
		Args:    cobra.ExactArgs(2),
	}
	cmd.Flags().BoolVar(&opts.LeaveRunning, "leave-running", false, "let the container run on")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opts.Name = args[1]
		made, err := a.Client().CreateCheckpoint(cmd.Context(), args[0], opts)
		if err == nil {
			fmt.Fprintln(a.Stdout, made.Name)
		}
		return err
	}
	return cmd
}

func (a *App) checkpointListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ls [flags] CONTAINER",
		Aliases: []string{"list"},
		Short:   "List the checkpoints of a container",
		Example: "  davit checkpoint ls web\n  davit checkpoint ls -q web",
		Args:    cobra.ExactArgs(1),
	}
	list := func(ctx context.Context) ([]api.Checkpoint, error) {
		return a.Client().Checkpoints(ctx, cmd.Flags().Arg(0))
	}
	lists(a, cmd, list, func(k api.Checkpoint) string { return k.Name }, checkpointListing)
	return cmd
}

// checkpointListing returns the table of checkpoints, which begins as docker's does.
func checkpointListing(list []api.Checkpoint) listing {
	now := time.Now()
	rows := make([][]string, len(list))
	for i, k := range list {
		then := "ended"
		if k.LeftRunning {
			then = "ran on"
		}
		rows[i] = []string{k.Name, Number(k.Attempt), then, ago(k.CreatedAt, now)}
	}
	return listing{header: []string{"CHECKPOINT NAME", "ATTEMPT", "CONTAINER", "CREATED"}, rows: rows, items: list, more: func(i int) fields {
		k := list[i]
		return fields{"Name": k.Name, "Attempt": k.Attempt, "LeftRunning": k.LeftRunning, "CreatedAt": k.CreatedAt.Format(time.RFC3339)}
	}}
}

func (a *App) checkpointRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:                   "rm CONTAINER NAME...",
		Aliases:               []string{"remove"},
		DisableFlagsInUseLine: true,
		Short:                 "Remove checkpoints of a container",
		Example:               "  davit checkpoint rm web before noon",
		Args:                  cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := a.Client()
			return a.together(args[1:], func(name string) error { return client.RemoveCheckpoint(cmd.Context(), args[0], name) })
		},
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return a.completion(containerNames, false)(cmd, args, begun)
		}
		return a.completion(checkpointNames(args[0]), true)(cmd, args, begun)
	}
	return cmd
}

// checkpointNames returns the names of the checkpoints of a container.
func checkpointNames(reference string) values {
	return func(ctx context.Context, c *api.Client) (names []string) {
		all, _ := c.Checkpoints(ctx, reference)
		for _, k := range all {
			names = append(names, k.Name)
		}
		return names
	}
}
