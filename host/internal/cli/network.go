package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var _ = Command(Containers, 135, (*App).networkCommand)

func (a *App) networkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "network",
		Short: "Make, list and remove networks, which connect containers",
		Long: `Make, list and remove networks. A container gets an address on one with --network NAME,
and keeps it until it is removed. Containers of a network reach each other, this machine
reaches them, and they reach what this machine does, unless the network is internal.
Networks are kept apart from each other. The network default is made when it is first used.
A container can be on more networks, with connect, and has the network of another container
with --network container:NAME. Networks of the config that plugins of CNI make are neither
made nor removed by commands.`,
		Example: "  davit network create web\n  davit network ls\n  davit network rm web",
	}
	cmd.AddCommand(a.networkConnectCommand(), a.networkDisconnectCommand(), a.networkCreateCommand(), a.networkInspectCommand(), a.networkListCommand(), a.networkPruneCommand(), a.networkRemoveCommand())
	return cmd
}

func (a *App) networkCreateCommand() *cobra.Command {
	var opts api.NetworkOptions
	var ipv6 *bool
	cmd := &cobra.Command{
		Use:   "create [flags] NAME",
		Short: "Make a network",
		Long: `Make a network, and print its name. Without --subnet it gets one that nothing else has. With
--ipv6, or a subnet of IPv6, its containers have an address of IPv6, too. Unless a subnet is
given, that is one of the prefix that this host has for itself, and they reach more than this
machine by an address of this machine. Without either, it is network.ipv6 of the config that
decides.`,
		Example: "  davit network create web\n  davit network create --subnet 10.1.2.0/24 --internal db\n  davit network create --mtu 1400 vpn\n  davit network create --ipv6 --subnet 10.1.3.0/24 --subnet fd12:3456:789a:1::/64 both",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Name = args[0]
			if cmd.Flags().Changed("ipv6") {
				opts.IPv6 = ipv6
			}
			n, err := a.Client().CreateNetwork(cmd.Context(), opts)
			if err == nil {
				fmt.Fprintln(a.Stdout, n.Name)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.Func("subnet", "`SUBNET` of its addresses, such as 10.1.2.0/24, and one of IPv6", eitherFamily("subnet", &opts.Subnet, &opts.Subnet6))
	f.Func("gateway", "`ADDRESS` of this machine on it, and one of IPv6 (default: the first of the subnet)", eitherFamily("gateway", &opts.Gateway, &opts.Gateway6))
	ipv6 = f.Bool("ipv6", false, "give it IPv6, too")
	f.BoolVar(&opts.Internal, "internal", false, "keep it from leading anywhere else")
	f.Func("mtu", "largest packet, in `BYTES` (default: as on the link of the default route)", func(s string) error { return setMTU(&opts, s) })
	f.FuncP("opt", "o", "`OPTION` "+mtuOption+"=BYTES, which is the same as --mtu", func(s string) error { return networkOption(&opts, s) })
	f.FuncP("label", "l", "`LABEL` NAME[=VALUE], for people and programs", func(s string) error { return addLabel(&opts.Labels, s) })
	return cmd
}

// mtuOption is how docker calls the size of packets.
const mtuOption = "com.docker.network.driver.mtu"

// networkOption sets what an option of docker's driver says.
func networkOption(opts *api.NetworkOptions, s string) error {
	name, value, _ := strings.Cut(s, "=")
	if name != mtuOption {
		return fmt.Errorf("option %q is not known; there is %s=BYTES", name, mtuOption)
	}
	return setMTU(opts, value)
}

func setMTU(opts *api.NetworkOptions, s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n <= 0 {
		return fmt.Errorf("%q is not a number of bytes, such as 1400", s)
	}
	opts.MTU = n
	return nil
}

func (a *App) networkInspectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "inspect [flags] NETWORK...",
		Short:   "Print all about networks, as a JSON array",
		Example: "  davit network inspect web\n  davit network inspect -f '{{.subnet}}' web",
		Args:    some,
	}
	inspects(a, cmd, (*api.Client).InspectNetwork, networkListing)
	return cmd
}

func (a *App) networkListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ls [flags]",
		Aliases: []string{"list"},
		Short:   "List networks",
		Example: "  davit network ls\n  davit network ls -q --filter dangling=true",
		Args:    AtMost(0),
	}
	filters := networkFilters{}
	cmd.Flags().FuncP("filter", "f", "only networks with `KEY=VALUE`; keys are "+strings.Join(networkFilterKeys, ", "), filters.add)
	list := func(ctx context.Context) ([]api.Network, error) {
		all, err := a.Client().Networks(ctx)
		return filters.apply(all), err
	}
	lists(a, cmd, list, func(n api.Network) string { return n.Name }, networkListing)
	return cmd
}

// networkListing returns the table of networks.
func networkListing(list []api.Network) listing {
	now := time.Now()
	rows := make([][]string, len(list))
	for i, n := range list {
		rows[i] = []string{n.Name, n.Driver, subnets(n), n.Bridge, leadsTo(n), Number(len(n.Containers)), ago(n.CreatedAt, now)}
	}
	more := func(i int) fields {
		n := list[i]
		return fields{
			"Name": n.Name, "ID": n.Name, "Driver": n.Driver, "Scope": "local", "Internal": n.Internal, "IPv4": true, "IPv6": n.Subnet6.IsValid(),
			"Labels": labelList(n.Labels), "CreatedAt": n.CreatedAt.Format(time.RFC3339),
		}
	}
	return listing{
		header: []string{"NAME", "DRIVER", "SUBNET", "BRIDGE", "REACH", "CONTAINERS", "CREATED"}, rows: rows, items: list, more: more,
		dispensable: []string{"CREATED", "BRIDGE", "DRIVER"},
	}
}

// eitherFamily returns what sets four, or six if it is given something of IPv6, once each.
func eitherFamily(what string, four, six *string) func(string) error {
	return func(s string) error {
		to, family := four, "IPv4"
		if strings.Contains(s, ":") {
			to, family = six, "IPv6"
		}
		switch {
		case s == "":
			return errors.New("it is empty")
		case *to != "":
			return fmt.Errorf("a %s of %s is given twice, %s and %s", what, family, *to, s)
		}
		*to = s
		return nil
	}
}

// subnets returns the subnets of a network, with a comma, "" if only its plugins know.
func subnets(n api.Network) string {
	if !n.Subnet.IsValid() {
		return ""
	}
	if n.Subnet6.IsValid() {
		return n.Subnet.String() + "," + n.Subnet6.String()
	}
	return n.Subnet.String()
}

// leadsTo says in a word what the containers of a network reach.
func leadsTo(n api.Network) string {
	switch {
	case n.Internal:
		return "internal"
	case n.Driver != "bridge": // only its plugins know
		return ""
	}
	return "outside"
}

func (a *App) networkPruneCommand() *cobra.Command {
	var opts api.PruneNetworksOptions
	var force bool
	cmd := &cobra.Command{
		Use:   "prune [flags]",
		Short: "Remove the networks that no container has",
		Long: `Remove the networks on which no container has an address, whether it runs or not. It asks
first, unless --force or --dry-run is given.`,
		Example: "  davit network prune -f\n  davit network prune --dry-run",
		Args:    AtMost(0),
	}
	cmd.Flags().BoolVarP(&opts.DryRun, "dry-run", "n", false, "only print what would be removed")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := a.sure(force || opts.DryRun, "This removes all networks that no container has."); err != nil {
			return err
		}
		removed, err := a.Client().PruneNetworks(cmd.Context(), opts)
		for _, n := range removed {
			fmt.Fprintln(a.Stdout, n.Name)
		}
		return err
	}
	return cmd
}

func (a *App) networkRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "rm [flags] NETWORK...",
		Aliases: []string{"remove"},
		Short:   "Remove networks",
		Long:    "Remove networks. One on which a container has an address, whether it runs or not, stays.",
		Example: "  davit network rm web",
		Args:    some,
	}
	a.removes(cmd, (*api.Client).RemoveNetwork)
	return cmd
}

// networkFlags registers the flags of `davit run` for its network.
func networkFlags(fs *pflag.FlagSet, o *api.ContainerOptions) {
	const usage = "`NETWORK` to have an address on, such as default; none for no other than its own, host for the machine's, user for what a program (pasta or slirp4netns) reaches for it, container:NAME for that of another container (default: none, or the config's)"
	fs.Var((*filled)(&o.Network), "network", usage)
	fs.Var((*filled)(&o.Network), "net", "the same as --network")
	_ = fs.MarkHidden("net") // it is there
	fs.Var((*filled)(&o.IP), "ip", "`ADDRESS` on the network (default: a free one)")
	fs.Var((*filled)(&o.MACAddress), "mac-address", "`ADDRESS` of its link to the network (default: one that belongs to its address)")
	fs.Var((*filled)(&o.IP6), "ip6", "`ADDRESS` of IPv6 on the network (default: a free one, if the network has IPv6)")
	fs.Func("network-alias", "`NAME` by which the others of its network find it, beside its own", appendTo(&o.NetworkAliases))
	fs.Func("add-host", "`HOST` NAME:ADDRESS of its /etc/hosts; the address host-gateway is this machine's", appendTo(&o.AddHosts))
	fs.Func("dns", "`ADDRESS` of a name server (default: those of this machine)", appendTo(&o.DNS))
	fs.Func("dns-search", "`DOMAIN` in which to look for short names; . is none", appendTo(&o.DNSSearch))
}
