package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

var _ = Command(Containers, 115, (*App).renameCommand)

func (a *App) renameCommand() *cobra.Command {
	return &cobra.Command{
		Use:                   "rename CONTAINER NAME",
		DisableFlagsInUseLine: true,
		Short:                 "Give a container another name",
		Example:               "  davit rename web web-old",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("give a container and its new name; usage: %s", cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.Client().Rename(cmd.Context(), args[0], args[1])
		},
	}
}
