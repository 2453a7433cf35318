package cli

import (
	"context"
	"errors"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 50, (*App).startCommand)

func (a *App) startCommand() *cobra.Command {
	var flags streamFlags
	output, checkpoint := false, ""
	cmd := &cobra.Command{
		Use:                   "start [flags] CONTAINER...",
		DisableFlagsInUseLine: true,
		Short:                 "Start containers that were created, or have ended",
		Example:               "  davit start web\n  davit start -ai shell\n  davit start --checkpoint before web",
		Long: `Start containers that were created, or have ended. One that runs stays as it is. With -a or
-i one container is started and stays in the foreground, as with ` + "`davit run`" + `.

With --checkpoint it goes on from where it was when davit checkpoint create was called. Its
files are as they are now.`,
		Args: some,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output || flags.stdin {
				if err := AtMost(1)(cmd, args); err != nil {
					return err
				}
				return a.startStreams(cmd.Context(), args[0], checkpoint, flags)
			}
			client := a.Client()
			return a.together(args, func(ref string) error {
				if checkpoint != "" {
					_, err := client.StartCheckpoint(cmd.Context(), ref, checkpoint)
					return err
				}
				_, err := client.Start(cmd.Context(), ref)
				if errors.Is(err, executor.FailedPrecondition) {
					if c, ierr := client.Inspect(cmd.Context(), ref); ierr == nil && c.State == api.StateRunning {
						return nil // as is wanted
					}
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVarP(&output, "attach", "a", false, "print its stdout and stderr, and pass signals on")
	cmd.Flags().BoolVarP(&flags.stdin, "interactive", "i", false, "pass this program's stdin on too")
	cmd.Flags().Var((*filled)(&checkpoint), "checkpoint", "go on from the checkpoint `NAME`")
	flags.keysFlag(cmd.Flags(), a.Env)
	a.patienceFlag(cmd)
	return cmd
}

// startStreams starts a container in the foreground, from a checkpoint unless that is empty.
func (a *App) startStreams(ctx context.Context, reference, checkpoint string, flags streamFlags) error {
	client := a.Client()
	c, err := client.Inspect(ctx, reference)
	if err != nil {
		return err
	}
	flags.stdin, flags.terminal = flags.stdin && c.Stdin, c.Terminal
	if err := flags.check(a); err != nil {
		return err
	}
	opts := api.AttachOptions{Start: true}
	if checkpoint != "" {
		if c, err = client.StartCheckpoint(ctx, c.ID, checkpoint); err != nil {
			return err
		}
		opts = api.AttachOptions{Attempt: c.Attempt}
	}
	return a.follow(ctx, c.ID, a.newForeground(flags), func(ctx context.Context, to api.Streams) (*api.End, error) {
		return client.AttachStreams(ctx, c.ID, opts, to)
	})
}
