package cli

import "github.com/spf13/cobra"

var (
	_ = Command(Containers, 74, (*App).pauseCommand)
	_ = Command(Containers, 76, (*App).unpauseCommand)
)

func (a *App) pauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:                   "pause CONTAINER...",
		DisableFlagsInUseLine: true,
		Short:                 "Stop all processes of containers where they stand",
		Example:               "  davit pause web",
		Args:                  some,
		RunE: func(cmd *cobra.Command, args []string) error {
			client := a.Client()
			return a.together(args, func(ref string) error { return client.Pause(cmd.Context(), ref) })
		},
	}
}

// unpause is what people know from docker and nerdctl, resume from runc and ctr.
func (a *App) unpauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:                   "unpause CONTAINER...",
		Aliases:               []string{"resume"},
		DisableFlagsInUseLine: true,
		Short:                 "Let paused containers go on",
		Example:               "  davit unpause web",
		Args:                  some,
		RunE: func(cmd *cobra.Command, args []string) error {
			client := a.Client()
			return a.together(args, func(ref string) error { return client.Resume(cmd.Context(), ref) })
		},
	}
}
