package cli

import "github.com/spf13/cobra"

var _ = Command(Containers, 50, (*App).startCommand)

func (a *App) startCommand() *cobra.Command {
	return &cobra.Command{
		Use:                   "start CONTAINER...",
		DisableFlagsInUseLine: true,
		Short:                 "Start containers that were created, or have ended",
		Example:               "  davit start web",
		Args:                  some,
		RunE: func(cmd *cobra.Command, args []string) error {
			client := a.Client()
			return a.together(args, func(ref string) error {
				_, err := client.Start(cmd.Context(), ref)
				return err
			})
		},
	}
}
