package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) waitCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "wait [flags] CONTAINER...",
		Short:   "Wait until containers have ended and print their exit codes",
		Example: "  davit wait web\n  code=$(davit wait web)",
		Args:    some,
		RunE: func(cmd *cobra.Command, args []string) error {
			client := a.client()
			return a.each(args, func(ref string) error {
				end, err := client.Wait(cmd.Context(), ref)
				if err != nil {
					return err
				}
				if end.Code == nil {
					return fmt.Errorf("container %s was lost, so its exit code is not known: %s", ref, end.Reason)
				}
				fmt.Fprintln(a.stdout, *end.Code)
				return nil
			})
		},
	}
	a.patienceFlag(cmd)
	return cmd
}
