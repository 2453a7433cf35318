package cli

import (
	"errors"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 50, (*App).startCommand)

func (a *App) startCommand() *cobra.Command {
	return &cobra.Command{
		Use:                   "start CONTAINER...",
		DisableFlagsInUseLine: true,
		Short:                 "Start containers that were created, or have ended",
		Example:               "  davit start web",
		Long:                  "Start containers that were created, or have ended. One that runs stays as it is.",
		Args:                  some,
		RunE: func(cmd *cobra.Command, args []string) error {
			client := a.Client()
			return a.together(args, func(ref string) error {
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
}
