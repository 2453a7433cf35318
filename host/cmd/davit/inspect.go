package main

import (
	"cmp"

	"github.com/davit-run/davit/host"
	"github.com/spf13/cobra"
)

func (a *app) inspectCommand() *cobra.Command {
	return &cobra.Command{
		Use:                   "inspect CONTAINER...",
		DisableFlagsInUseLine: true,
		Short:                 "Print all about containers, as a JSON array",
		Example:               "  davit inspect web\n  davit inspect web | jq .[0].pid",
		Args:                  some,
		RunE: func(cmd *cobra.Command, args []string) error {
			client := a.client()
			found := []host.Container{}
			err := a.each(args, func(ref string) error {
				c, err := client.Inspect(cmd.Context(), ref)
				if err == nil {
					found = append(found, c)
				}
				return err
			})
			return cmp.Or(err, printJSON(a.stdout, found))
		},
	}
}
