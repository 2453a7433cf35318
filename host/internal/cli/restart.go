package cli

import (
	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 65, (*App).restartCommand)

func (a *App) restartCommand() *cobra.Command {
	var timeout Seconds
	cmd := &cobra.Command{
		Use:   "restart [flags] CONTAINER...",
		Short: "Stop containers and start them once more",
		Long: `Restart containers: stop them as ` + "`davit stop`" + ` does, and start them once more. One that
has ended is started. Returns once they run.`,
		Example: "  davit restart web\n  davit restart -t 1m db queue",
		Args:    some,
	}
	timeoutFlag(cmd.Flags(), &timeout)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d := timeout.Or(api.OwnStopTimeout)
		client := a.Client()
		return a.together(args, func(ref string) error {
			_, err := client.Restart(cmd.Context(), ref, d)
			return err
		})
	}
	return cmd
}
