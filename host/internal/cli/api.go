package cli

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Host, 60, (*App).apiCommand)

func (a *App) apiCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "api",
		Short:   "Describe the HTTP API of the host",
		Example: "  davit api describe",
	}
	describe := &cobra.Command{
		Use:   "describe [flags]",
		Short: "Print the HTTP API as an OpenAPI document",
		Long: `Print the routes of the host's HTTP API, with their parameters and answers, as an
OpenAPI document in JSON. It is that of this release, for which no host needs to run;
with --live it is that of the running host. A host serves it at /v1/openapi.json.`,
		Example: "  davit api describe >davit.openapi.json\n  davit api describe --live",
		Args:    AtMost(0),
	}
	live := describe.Flags().Bool("live", false, "ask the running host, which may be of another release")
	describe.RunE = func(cmd *cobra.Command, _ []string) error {
		document := api.OpenAPI()
		if *live {
			var err error
			if document, err = a.Client().OpenAPI(cmd.Context()); err != nil {
				return err
			}
		}
		var text bytes.Buffer
		if err := json.Indent(&text, document, "", "  "); err != nil {
			return err
		}
		_, err := fmt.Fprintln(a.Stdout, text.String())
		return err
	}
	cmd.AddCommand(describe)
	return cmd
}
