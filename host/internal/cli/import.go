package cli

import (
	"fmt"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Images, 25, (*App).importCommand)

func (a *App) importCommand() *cobra.Command {
	var quiet bool
	var opts api.ImportOptions
	cmd := &cobra.Command{
		Use:   "import [flags] FILE|- [NAME[:TAG]]",
		Short: "Make an image of a root file system or a WebAssembly module",
		Long: `Make an image with one layer of the root file system in a tar archive, and print its
id. The archive may be compressed with gzip, zstd or bzip2; - reads it from stdin. The
image has no command, so davit run needs one, unless --change gives it one.

A WebAssembly module becomes an image whose command it is, for backends that run such.`,
		Example: "  davit import rootfs.tar.gz base:1\n  tar -C rootfs -c . | davit import - base\n  davit import hello.wasm hello",
		Args:    cobra.RangeArgs(1, 2),
	}
	cmd.Flags().StringVar(&opts.Platform, "platform", "", "`PLATFORM` that the files were built for, such as linux/arm64 (default: the host's)")
	cmd.Flags().StringVarP(&opts.Message, "message", "m", "", "`TEXT` for the image's history")
	changeFlag(cmd, &opts.Changes)
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "do not show progress")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			opts.Name = args[1]
		}
		archive, err := a.openArchive(args[0], "give a file, or an archive on stdin")
		if err != nil {
			return err
		}
		defer archive.Close()
		shown := a.imageProgress(quiet)
		image, err := a.Client().ImportImage(cmd.Context(), archive, opts, shown.show)
		shown.done()
		if err == nil {
			fmt.Fprintln(a.Stdout, image.ID)
		}
		return err
	}
	return cmd
}
