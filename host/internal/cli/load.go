package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Images, 20, (*App).loadCommand)

func (a *App) loadCommand() *cobra.Command {
	var input string
	var quiet bool
	var opts api.LoadOptions
	cmd := &cobra.Command{
		Use:   "load [flags]",
		Short: "Load images from an archive",
		Long: `Load the images of an archive, and print their names: an OCI layout, or what
` + "`docker save`" + ` writes, uncompressed or compressed with gzip, zstd or bzip2. It is read
from stdin unless a file is given.`,
		Example: "  davit load -i app.tar\n  docker save app | davit load",
		Args:    AtMost(0),
	}
	cmd.Flags().VarP((*filled)(&input), "input", "i", "`FILE` to read")
	cmd.Flags().StringVar(&opts.Platform, "platform", "", "`PLATFORM` of images for several, such as linux/arm64 (default: the host's)")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "do not show progress")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		archive, err := a.openArchive(input, "give a file with -i, or an archive on stdin")
		if err != nil {
			return err
		}
		defer archive.Close()
		shown := a.imageProgress(quiet)
		loaded, err := a.Client().LoadImages(cmd.Context(), archive, opts, shown.show)
		shown.done()
		for _, image := range loaded {
			fmt.Fprintln(a.Stdout, nameOf(image))
		}
		return err
	}
	return cmd
}

// nameOf returns the first name of an image, or else its id.
func nameOf(image api.Image) string {
	if len(image.Names) > 0 {
		return image.Names[0]
	}
	return image.ID
}

// openArchive opens a file, or stdin if the name is "" or "-".
func (a *App) openArchive(name, advice string) (io.ReadCloser, error) {
	if name != "" && name != "-" {
		return os.Open(name)
	}
	if isTerminal(os.Stdin) {
		return nil, errors.New("stdin is a terminal; " + advice)
	}
	return io.NopCloser(os.Stdin), nil
}
