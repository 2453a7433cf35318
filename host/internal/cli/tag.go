package cli

import "github.com/spf13/cobra"

var _ = Command(Images, 35, (*App).tagCommand)

func (a *App) tagCommand() *cobra.Command {
	return &cobra.Command{
		Use:                   "tag IMAGE NAME[:TAG]",
		DisableFlagsInUseLine: true,
		Short:                 "Give an image another name",
		Long:                  `Give an image another name. If another image has that name, it loses it.`,
		Example:               "  davit tag busybox registry.example:5000/busybox:1",
		Args:                  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.Client().TagImage(cmd.Context(), args[0], args[1])
		},
	}
}
