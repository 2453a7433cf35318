package cli

import "github.com/spf13/cobra"

var _ = Command(Containers, 65, (*App).restartCommand)

func (a *App) restartCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restart [flags] CONTAINER...",
		Short: "Stop containers and start them once more",
		Long: `Restart containers: stop them as ` + "`davit stop`" + ` does, and start them once more. One that
has ended is started. Returns once they run.`,
		Example: "  davit restart web\n  davit restart -t 1m db queue\n  davit restart -s INT worker",
		Args:    some,
	}
	var flags stopFlags
	flags.register(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client := a.Client()
		return a.together(args, func(ref string) error {
			_, err := client.RestartWith(cmd.Context(), ref, flags.options())
			return err
		})
	}
	return cmd
}
