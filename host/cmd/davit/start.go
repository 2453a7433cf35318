package main

import "github.com/spf13/cobra"

func (a *app) startCommand() *cobra.Command {
	return &cobra.Command{
		Use:                   "start CONTAINER...",
		DisableFlagsInUseLine: true,
		Short:                 "Start containers again that have ended",
		Example:               "  davit start web",
		Args:                  some,
		RunE: func(cmd *cobra.Command, args []string) error {
			client := a.client()
			return a.together(args, func(ref string) error {
				_, err := client.Start(cmd.Context(), ref)
				return err
			})
		},
	}
}
