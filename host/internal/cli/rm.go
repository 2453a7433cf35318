package cli

import (
	"errors"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 90, (*App).rmCommand)

func (a *App) rmCommand() *cobra.Command {
	var opts api.RemoveOptions
	var stray bool
	cmd := &cobra.Command{
		Use:     "rm [flags] CONTAINER...",
		Aliases: []string{"remove"},
		Short:   "Remove containers that have ended, with their output",
		Long: `Remove containers that have ended, with their output. Volumes with a name stay, and so do
anonymous ones, unless -v is given or the container was made with --rm.`,
		Example: "  davit rm web\n  davit rm -f $(davit ps -aq)\n  davit rm --stray 4f2a",
		Args:    some,
	}
	cmd.Flags().BoolVarP(&opts.Force, "force", "f", false, "kill those that run, and pass over those that do not exist")
	cmd.Flags().BoolVarP(&opts.Volumes, "volumes", "v", false, "also remove their anonymous volumes")
	cmd.Flags().BoolVar(&stray, "stray", false, "kill and remove strays, which davit ps --strays lists")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client := a.Client()
		return a.together(args, func(ref string) error {
			remove := func() error { return client.RemoveWith(cmd.Context(), ref, opts) }
			if stray {
				remove = func() error { return client.RemoveStray(cmd.Context(), ref) }
			}
			err := remove()
			if opts.Force && errors.Is(err, executor.NotFound) {
				return errSkipped
			}
			return err
		})
	}
	return cmd
}
