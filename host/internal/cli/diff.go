package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

var _ = Command(Containers, 124, (*App).diffCommand)

func (a *App) diffCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff [flags] CONTAINER",
		Short: "Print which files a container has changed of its image",
		Long: `Print which files a container that was made from an image has added (A), changed (C) and
deleted (D). What is mounted in it is not looked at.`,
		Example: "  davit diff web",
		Args:    cobra.ExactArgs(1),
	}
	form := FormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		list, err := a.Client().Diff(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *form == AsJSON {
			return PrintJSON(a.Stdout, list)
		}
		for _, c := range list {
			fmt.Fprintln(a.Stdout, strings.ToUpper(string(c.Kind[:1])), Printable(c.Path))
		}
		return nil
	}
	return cmd
}
