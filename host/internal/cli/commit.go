package cli

import (
	"fmt"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 125, (*App).commitCommand)

func (a *App) commitCommand() *cobra.Command {
	var opts api.CommitOptions
	cmd := &cobra.Command{
		Use:   "commit [flags] CONTAINER [NAME[:TAG]]",
		Short: "Make an image of a container",
		Long: `Make an image of a container that was made from one, and print its id. It has the layers
of that image and one more, with what the container has changed (see davit diff); what
is mounted in the container is left out.

The image's command, environment, ports, labels and so on are those with which the
container was made; --change changes them. The health check is that of its image.

The container is paused meanwhile, so that its files belong together.`,
		Example: "  davit commit web site:2\n  davit commit -m 'with curl' -c 'CMD [\"curl\"]' -c 'ENV A=1' box tools",
		Args:    cobra.RangeArgs(1, 2),
	}
	flags := cmd.Flags()
	pause := true
	flags.BoolVarP(&pause, "pause", "p", true, "pause the container meanwhile, if its backend can")
	flags.StringVarP(&opts.Author, "author", "a", "", "`AUTHOR` of the image")
	flags.StringVarP(&opts.Message, "message", "m", "", "`TEXT` for the image's history")
	changeFlag(cmd, &opts.Changes)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			opts.Name = args[1]
		}
		opts.NoPause = !pause
		image, err := a.Client().Commit(cmd.Context(), args[0], opts)
		if err == nil {
			fmt.Fprintln(a.Stdout, image.ID)
		}
		return err
	}
	return cmd
}

// changeFlag adds the flag for changes to the config of an image.
func changeFlag(cmd *cobra.Command, changes *[]string) {
	cmd.Flags().StringArrayVarP(changes, "change", "c", nil, "`INSTRUCTION` of a Dockerfile to apply (CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR); may be repeated")
}
