package cli

import (
	"errors"
	"fmt"

	"github.com/davit-run/davit/shared/executor"
	"github.com/docker/go-units"
	"github.com/spf13/cobra"
)

var _ = Command(Images, 40, (*App).rmiCommand)

func (a *App) rmiCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "rmi [flags] IMAGE...",
		Short: "Remove images",
		Long: `Remove images, by name or by id. An image with several names loses the one that is
given, and is removed with the last one.`,
		Example: "  davit rmi busybox:1.36\n  davit rmi -f 4f2a",
		Args:    some,
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "also those that containers use, which keep the files that they need; pass over those that do not exist")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client := a.Client()
		return a.each(args, func(ref string) error {
			gone, err := client.RemoveImage(cmd.Context(), ref, force)
			if force && errors.Is(err, executor.NotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			for _, name := range gone.Untagged {
				fmt.Fprintln(a.Stdout, Printable(name))
			}
			if gone.Removed {
				fmt.Fprintln(a.Stdout, gone.ID)
				if isTerminal(a.Stderr) {
					fmt.Fprintf(a.Stderr, "%s freed\n", units.BytesSize(float64(gone.Bytes)))
				}
			}
			return nil
		})
	}
	return cmd
}
