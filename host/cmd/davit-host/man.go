package main

import (
	"os"

	"github.com/davit-run/davit/host/internal/cli"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

var _ = cli.Command(cli.Hidden, 0, manCommand)

// manCommand writes the manual pages that `make install` installs. They say what the help
// of the commands says.
func manCommand(a *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write manual pages",
		Example: "  davit man /usr/share/man/man1",
		Args:    cobra.ExactArgs(1),
		Hidden:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "davit " + a.Build.Version, Manual: "davit"}, args[0])
		},
	}
}
