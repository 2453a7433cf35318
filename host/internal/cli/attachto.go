package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 45, (*App).attachCommand)

func (a *App) attachCommand() *cobra.Command {
	var flags streamFlags
	noStdin, signals := false, true
	cmd := &cobra.Command{
		Use:   "attach [flags] CONTAINER",
		Short: "Attach to the input and output of a container that runs",
		Long: `Attach to the input and output of a container that runs: davit prints what it writes
from now on, passes stdin and signals on to it, and ends with its exit code. Its
screen, if it has a terminal, is drawn anew. Several may be attached.

At a terminal, ` + defaultDetachKeys + ` detaches and leaves the container running.`,
		Example: "  davit attach web\n  davit attach --no-stdin web",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := some(cmd, args); err != nil {
				return err
			}
			return AtMost(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			client := a.Client()
			c, err := client.Inspect(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			flags.stdin, flags.terminal = c.Stdin && !noStdin, c.Terminal
			if err := flags.check(a); err != nil {
				return err
			}
			f := a.newForeground(flags)
			f.redraw, f.signals = true, signals
			return a.follow(cmd.Context(), c.ID, f, func(ctx context.Context, to api.Streams) (*api.End, error) {
				return client.AttachStreams(ctx, args[0], api.AttachOptions{Now: true}, to)
			})
		},
	}
	cmd.Flags().BoolVar(&noStdin, "no-stdin", false, "do not pass stdin on")
	cmd.Flags().BoolVar(&signals, "sig-proxy", true, "pass signals on to the container")
	flags.keysFlag(cmd.Flags(), a.Env)
	a.patienceFlag(cmd)
	return cmd
}

// follow attaches to a container in the foreground until it has ended.
func (a *App) follow(ctx context.Context, id string, f *foreground, call func(context.Context, api.Streams) (*api.End, error)) error {
	explained := func() {}
	started := f.started
	f.started = func(b api.StreamsBegun) {
		id = b.Container.ID
		explained = a.explainWait(ctx, id, unwatchedPoll)
		if started != nil {
			started(b)
		}
	}
	defer func() { explained() }()
	end, err := f.run(ctx, call)
	switch {
	case errors.Is(err, api.ErrDetached):
		short := api.ShortID(id)
		a.complain(fmt.Errorf("detached: container %s runs on; see `davit attach %s`", short, short))
		return nil
	case errors.Is(err, errLeft):
		return runError(left(id))
	case err != nil:
		return runError(unfinished(err, id))
	}
	return a.ended("container "+api.ShortID(id), end, f.memory)
}
