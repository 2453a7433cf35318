package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Images, 50, (*App).imageCommand)

func (a *App) imageCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "image",
		Short:   "Inspect images, and remove unused ones",
		Example: "  davit image inspect busybox\n  davit image prune --all",
	}
	history := a.historyCommand()
	history.Example = strings.ReplaceAll(history.Example, "davit history", "davit image history")
	cmd.AddCommand(a.imageInspectCommand(), history, a.imagePruneCommand())
	return cmd
}

func (a *App) imageInspectCommand() *cobra.Command {
	return &cobra.Command{
		Use:                   "inspect IMAGE...",
		DisableFlagsInUseLine: true,
		Short:                 "Print all about images, as a JSON array",
		Example:               "  davit image inspect busybox | jq .[0].config.cmd",
		Args:                  some,
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := found(cmd.Context(), a, args, (*api.Client).InspectImage)
			return cmp.Or(err, PrintJSON(a.Stdout, all))
		},
	}
}

func (a *App) imagePruneCommand() *cobra.Command {
	var opts api.PruneImagesOptions
	cmd := &cobra.Command{
		Use:   "prune [flags]",
		Short: "Remove the images that have no name and no container",
		Long: `Remove the images that have neither a name nor a container, and what interrupted work
has left. What a container needs is never removed.`,
		Example: "  davit image prune\n  davit image prune --all --dry-run",
		Args:    AtMost(0),
	}
	cmd.Flags().BoolVarP(&opts.All, "all", "a", false, "also those with a name")
	cmd.Flags().BoolVarP(&opts.DryRun, "dry-run", "n", false, "only print what would be removed")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		done, err := a.Client().PruneImages(cmd.Context(), opts)
		if err != nil {
			return err
		}
		for _, image := range done.Images {
			fmt.Fprintln(a.Stdout, Printable(nameOf(image)))
		}
		a.freed(done.Bytes, opts.DryRun, ", less what other images share")
		return nil
	}
	return cmd
}
