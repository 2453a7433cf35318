package cli

import (
	"fmt"
	"net"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/publish"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var _ = Command(Containers, 33, (*App).portCommand)

func (a *App) portCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "port CONTAINER [PORT[/tcp|udp]]",
		Short: "Print where the published ports of a container are",
		Long: `Print where the published ports of a container are on this machine. With the PORT of
the container, print that alone, and fail if it is not published.`,
		Example: "  davit port web\n  davit port web 80\n  curl $(davit port web 80/tcp)",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return fmt.Errorf("give one container, and at most one port; usage: %s", cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.Client().Inspect(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if len(args) == 1 {
				for _, p := range c.Ports {
					for _, at := range p.Families() {
						fmt.Fprintf(a.Stdout, "%s -> %s\n", p.Inner(), at.Outer())
					}
				}
				return nil
			}
			port, protocol, err := publish.ParseContainerPort(args[1])
			if err != nil {
				return err
			}
			found := false
			for _, p := range c.Ports {
				if p.ContainerPort != port || p.Network() != protocol {
					continue
				}
				found = true
				for _, at := range p.Families() {
					fmt.Fprintln(a.Stdout, at.Outer())
				}
			}
			if !found {
				return notPublished(args[0], c, publish.Port{ContainerPort: port, Protocol: protocol})
			}
			return nil
		},
	}
}

// notPublished says why a container has no such port.
func notPublished(name string, c api.Container, p publish.Port) error {
	switch {
	case len(c.Publish) > 0 && len(c.Ports) == 0:
		return fmt.Errorf("container %s is %s, and publishes its ports while it runs", name, c.State)
	case len(c.Ports) == 0:
		return fmt.Errorf("container %s does not publish port %s, nor any other", name, p.Inner())
	}
	return fmt.Errorf("container %s does not publish port %s; it has %s", name, p.Inner(), publish.Format(c.Ports))
}

// addBinding adds a port to those that docker inspect has.
func addBinding(all map[string]any, p publish.Port) {
	for _, at := range p.Families() {
		ip, port, _ := net.SplitHostPort(at.Outer())
		list, _ := all[p.Inner()].([]any)
		all[p.Inner()] = append(list, map[string]any{"HostIp": ip, "HostPort": port})
	}
}

// publishFlags registers the flags of `davit run` for ports.
func publishFlags(fs *pflag.FlagSet, o *api.ContainerOptions) {
	fs.FuncP("publish", "p", "`PORT` to open on this machine, [[IP:]HOST:]CONTAINER[/udp], with ports or ranges; without HOST, one that is free", func(s string) error {
		ports, err := publish.Parse(s)
		o.Publish = append(o.Publish, ports...)
		return err
	})
	fs.BoolVarP(&o.PublishAll, "publish-all", "P", false, "publish all ports that the image exposes, each on one that is free")
}
