package cli

import (
	"fmt"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 78, (*App).updateCommand)

func (a *App) updateCommand() *cobra.Command {
	var o ocispec.Options
	var restart string
	cmd := &cobra.Command{
		Use:   "update [flags] CONTAINER...",
		Short: "Change limits and restart policies of containers",
		Long: `Change limits and restart policies of containers, also of those that run. What is not
given stays as it is. The limits of one that does not run are those of its next start.`,
		Example: "  davit update --memory 128m --cpus 1.5 web\n  davit update --restart always web db",
		Args:    some,
	}
	limitFlags(cmd.Flags(), &o)
	cmd.Flags().Var((*filled)(&restart), "restart", "restart `POLICY`: no, on-failure[:N], always or unless-stopped")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		for flag, unset := range map[string]bool{"memory": o.MemoryBytes == 0, "cpus": o.CPUs == 0} {
			if unset && cmd.Flags().Changed(flag) {
				return fmt.Errorf("--%s 0: a limit that a container has can be changed, and not be taken off; give as much as this machine has", flag)
			}
		}
		opts := api.UpdateOptions{Limits: ocispec.LimitsOf(o)}
		if restart != "" {
			opts.Restart = &restart
		}
		client := a.Client()
		return a.together(args, func(ref string) error { return client.Update(cmd.Context(), ref, opts) })
	}
	return cmd
}
