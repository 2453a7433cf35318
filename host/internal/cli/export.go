package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

var _ = Command(Containers, 122, (*App).exportCommand)

func (a *App) exportCommand() *cobra.Command {
	var file string
	var quiet bool
	cmd := &cobra.Command{
		Use:   "export [flags] CONTAINER",
		Short: "Write the root file system of a container as a tar archive",
		Long: `Write the root file system of a container as a tar archive, to standard output or a
file. What is mounted in the container, such as volumes, is not in it.`,
		Example: "  davit export web > web.tar\n  davit export -o web.tar web",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("give one container; usage: %s", cmd.UseLine())
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "write to `FILE`, which is there only if it is complete")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "do not show progress")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		show := a.progress(quiet)
		defer show.done()
		return a.writeArchive(file, func(w io.Writer) error {
			return a.Client().Export(cmd.Context(), args[0], show.writer(w))
		})
	}
	return cmd
}
