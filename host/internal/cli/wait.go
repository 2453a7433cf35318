package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

var _ = Command(Containers, 80, (*App).waitCommand)

func (a *App) waitCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "wait [flags] CONTAINER...",
		Short:   "Wait until containers have ended and print their exit codes",
		Example: "  davit wait web\n  code=$(davit wait web)",
		Args:    some,
		RunE: func(cmd *cobra.Command, args []string) error {
			client := a.Client()
			return a.each(args, func(ref string) error {
				defer a.explainWait(cmd.Context(), ref, 0)()
				end, err := client.Wait(cmd.Context(), ref)
				if err != nil {
					return err
				}
				if end.Code == nil {
					return fmt.Errorf("container %s was lost, so its exit code is not known: %s", ref, end.Reason)
				}
				fmt.Fprintln(a.Stdout, *end.Code)
				return nil
			})
		},
	}
	a.patienceFlag(cmd)
	return cmd
}
