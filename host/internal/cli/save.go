package cli

import (
	"errors"
	"io"

	"github.com/spf13/cobra"
)

var _ = Command(Images, 22, (*App).saveCommand)

func (a *App) saveCommand() *cobra.Command {
	var file string
	var quiet bool
	cmd := &cobra.Command{
		Use:   "save [flags] IMAGE...",
		Short: "Write images as an archive",
		Long: `Write images as an archive, to standard output or a file. It is an OCI layout that
` + "`docker load`" + ` and davit load also read, and always the same for the same images.

It has the names by which images are given: a name without a tag means all of its tags,
and an id none.`,
		Example: "  davit save -o app.tar app:v1\n  davit save app | ssh there davit load",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("no image is given; usage: " + cmd.UseLine())
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
			return a.Client().SaveImages(cmd.Context(), args, show.writer(w))
		})
	}
	return cmd
}
