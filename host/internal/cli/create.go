package cli

import (
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 15, (*App).createCommand)

func (a *App) createCommand() *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "create [flags] (IMAGE | --rootfs DIR | --bundle DIR) [CMD [ARG...]]",
		Short: "Make a container without starting it",
		Long: `Make a container, and print its id. It is checked as ` + "`davit run`" + ` does, and started by
` + "`davit start`" + `. A ` + "`davit wait`" + ` for it, or ` + "`davit logs -f`" + `, waits for its first start.`,
		Example:               "  davit create --name web nginx\n  davit create --rootfs /srv/busybox --name job sh -c 'echo hello'",
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, ids, err := flags.parsed(args)
			if err != nil {
				return err
			}
			defer ids.close()
			if err := a.pullFor(cmd.Context(), opts, &flags, cmd.Flags().Changed); err != nil {
				return err
			}
			opts.NoStart = true
			return a.detach(cmd.Context(), opts, ids)
		},
	}
	flags.register(cmd.Flags(), a.Env)
	return cmd
}
