package cli

import (
	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

func (a *App) networkConnectCommand() *cobra.Command {
	var opts api.ConnectOptions
	cmd := &cobra.Command{
		Use:   "connect [flags] NETWORK CONTAINER",
		Short: "Give a container an address on a network in addition",
		Long: `Give a container an address on a network in addition, whether it runs or not. It keeps it
until it is disconnected or removed. A container whose network is none, host or that of
another container cannot be connected to more.`,
		Example: "  davit network connect db web\n  davit network connect --ip 10.1.2.3 --alias www db web",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.Client().ConnectNetwork(cmd.Context(), args[0], args[1], opts)
		},
		ValidArgsFunction: a.networkAndContainer,
	}
	f := cmd.Flags()
	f.Var((*filled)(&opts.IP), "ip", "`ADDRESS` on the network (default: a free one)")
	f.Var((*filled)(&opts.IP6), "ip6", "`ADDRESS` of IPv6 on the network (default: a free one, if the network has IPv6)")
	f.Func("alias", "`NAME` by which the others of the network find it, beside its own", appendTo(&opts.Aliases))
	return cmd
}

func (a *App) networkDisconnectCommand() *cobra.Command {
	var opts api.DisconnectOptions
	cmd := &cobra.Command{
		Use:   "disconnect [flags] NETWORK CONTAINER",
		Short: "Take the address that a container has on a network",
		Long: `Take the address that a container has on a network, whether it runs or not. Its published
ports lead to the first address that is left. With the last one they are closed, until it is
connected to a network again.`,
		Example: "  davit network disconnect db web\n  davit network disconnect -f db web",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.Client().DisconnectNetwork(cmd.Context(), args[0], args[1], opts)
		},
		ValidArgsFunction: a.networkAndContainer,
	}
	cmd.Flags().BoolVarP(&opts.Force, "force", "f", false, "do not mind a container that is not on it, or that there is not")
	return cmd
}

// networkAndContainer completes the name of a network, and then that of a container.
func (a *App) networkAndContainer(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return a.completion(networkNames, false)(cmd, nil, begun)
	case 1:
		return a.completion(containerNames, false)(cmd, nil, begun)
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}
