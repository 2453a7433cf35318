package cli

import (
	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var _ = Command(Containers, 60, (*App).stopCommand)

func (a *App) stopCommand() *cobra.Command {
	var timeout Seconds
	cmd := &cobra.Command{
		Use:   "stop [flags] CONTAINER...",
		Short: "Stop containers: ask them to end, then kill them",
		Long: `Stop containers: send the container's stop signal, TERM unless it was made with
another, and kill it when the timeout is over. Returns once they have ended.`,
		Example: "  davit stop web\n  davit stop -t 1m db queue",
		Args:    some,
	}
	timeoutFlag(cmd.Flags(), &timeout)
	a.patienceFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d := timeout.Or(api.OwnStopTimeout)
		client := a.Client()
		return a.together(args, func(ref string) error { return client.Stop(cmd.Context(), ref, d) })
	}
	return cmd
}

// timeoutFlag registers the flag for how long containers have to end.
func timeoutFlag(fs *pflag.FlagSet, timeout *Seconds) {
	fs.VarP(timeout, "timeout", "t", "how long to wait before killing, a `DURATION` or seconds; -1 is for ever (default: the container's own)")
	fs.Var(timeout, "time", "the same as --timeout, as older dockers have it")
	_ = fs.MarkHidden("time") // it is there
}
