package cli

import (
	"cmp"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 30, (*App).inspectCommand)

func (a *App) inspectCommand() *cobra.Command {
	return &cobra.Command{
		Use:                   "inspect CONTAINER...",
		DisableFlagsInUseLine: true,
		Short:                 "Print all about containers, as a JSON array",
		Example:               "  davit inspect web\n  davit inspect web | jq .[0].pid",
		Args:                  some,
		RunE: func(cmd *cobra.Command, args []string) error {
			client := a.Client()
			found := []api.Container{}
			err := a.each(args, func(ref string) error {
				c, err := client.Inspect(cmd.Context(), ref)
				if err == nil {
					found = append(found, c)
				}
				return err
			})
			return cmp.Or(err, PrintJSON(a.Stdout, found))
		},
	}
}
