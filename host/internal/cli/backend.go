package cli

import "github.com/spf13/cobra"

var _ = Command(Host, 40, (*App).backendCommand)

func (a *App) backendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "backend",
		Short:   "Restart or upgrade the executors of backends",
		Example: "  davit backend restart main",
	}
	cmd.AddCommand(&cobra.Command{
		Use:     "restart BACKEND...",
		Aliases: []string{"upgrade"},
		Short:   "Replace executors by what is installed now; containers run on",
		Long: `Replace the executor of each backend by one of the program that is installed now.
Its containers run on and do not notice. That program is asked first: if it cannot be
started, or does not take the settings, the executor that runs is kept. A backend that
is down is tried again at once.`,
		DisableFlagsInUseLine: true,
		Example:               "  davit backend restart main",
		Args:                  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := a.Client()
			return a.together(args, func(name string) error { return client.RestartBackend(cmd.Context(), name) })
		},
	})
	return cmd
}
