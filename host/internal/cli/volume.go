package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 130, (*App).volumeCommand)

func (a *App) volumeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "volume",
		Short: "Make, list and remove volumes, which outlive containers",
		Long: `Make, list and remove volumes: directories of the host's with names, whose files outlive
the containers that have them. A container gets one with -v NAME:/path. One that does not
exist is made, and if the container is made from an image, it gets the files that the
image has at the path.`,
		Example: "  davit volume create data\n  davit volume ls\n  davit volume rm data",
	}
	cmd.AddCommand(a.volumeCreateCommand(), a.volumeInspectCommand(), a.volumeListCommand(), a.volumePruneCommand(), a.volumeRemoveCommand())
	return cmd
}

func (a *App) volumeCreateCommand() *cobra.Command {
	var opts api.VolumeOptions
	cmd := &cobra.Command{
		Use:   "create [flags] [NAME]",
		Short: "Make a volume",
		Long: `Make a volume, and print its name. If there is one with that name, it stays as it is.
Without a name it gets a long one, and is anonymous.`,
		Example: "  davit volume create data\n  davit volume create --label team=web",
		Args:    AtMost(1),
	}
	cmd.Flags().FuncP("label", "l", "`LABEL` NAME[=VALUE], for people and programs", func(s string) error { return addLabel(&opts.Labels, s) })
	cmd.Flags().FuncP("driver", "d", "`DRIVER` of the volume: local, the only one there is", func(s string) error {
		if s != "local" {
			return errors.New("all volumes are local: directories of this machine")
		}
		return nil
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			if opts.Name = args[0]; opts.Name == "" {
				return errors.New("the name is empty; leave it out if that is meant")
			}
		}
		v, err := a.Client().CreateVolume(cmd.Context(), opts)
		if err == nil {
			fmt.Fprintln(a.Stdout, v.Name)
		}
		return err
	}
	return cmd
}

func (a *App) volumeInspectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "inspect [flags] VOLUME...",
		Short:   "Print all about volumes, as a JSON array",
		Example: "  davit volume inspect data\n  davit volume inspect -f '{{.Mountpoint}}' data",
		Args:    some,
	}
	inspects(a, cmd, (*api.Client).InspectVolume, volumeListing)
	return cmd
}

func (a *App) volumeListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ls [flags]",
		Aliases: []string{"list"},
		Short:   "List volumes",
		Example: "  davit volume ls\n  davit volume ls -q --filter dangling=true",
		Args:    AtMost(0),
	}
	filters := volumeFilters{}
	cmd.Flags().FuncP("filter", "f", "only volumes with `KEY=VALUE`; keys are dangling, label, name", filters.add)
	list := func(ctx context.Context) ([]api.Volume, error) {
		all, err := a.Client().Volumes(ctx)
		return filters.apply(all), err
	}
	lists(a, cmd, list, func(v api.Volume) string { return v.Name }, volumeListing)
	return cmd
}

// volumeListing returns the table of volumes, which begins as docker's does.
func volumeListing(list []api.Volume) listing {
	now := time.Now()
	const driver, scope = "local", "local" // as docker calls what is a directory of the machine
	rows := make([][]string, len(list))
	for i, v := range list {
		rows[i] = []string{driver, v.Name, Number(len(v.Containers)), ago(v.CreatedAt, now)}
	}
	more := func(i int) fields {
		v := list[i]
		return fields{
			"Name": v.Name, "Driver": driver, "Scope": scope, "Mountpoint": v.Mountpoint,
			"Labels": labelList(v.Labels), "CreatedAt": v.CreatedAt.Format(time.RFC3339),
		}
	}
	return listing{header: []string{"DRIVER", "VOLUME NAME", "CONTAINERS", "CREATED"}, rows: rows, items: list, more: more, dispensable: []string{"CREATED", "CONTAINERS", "DRIVER"}}
}

func (a *App) volumePruneCommand() *cobra.Command {
	var opts api.PruneVolumesOptions
	var force bool
	cmd := &cobra.Command{
		Use:   "prune [flags]",
		Short: "Remove the anonymous volumes that no container has",
		Long: `Remove the anonymous volumes that no container has, and with --all those with a name as
well. It asks first, unless --force or --dry-run is given.`,
		Example: "  davit volume prune -f\n  davit volume prune --all --dry-run",
		Args:    AtMost(0),
	}
	cmd.Flags().BoolVarP(&opts.All, "all", "a", false, "also those with a name")
	cmd.Flags().BoolVarP(&opts.DryRun, "dry-run", "n", false, "only print what would be removed")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		what := "all anonymous volumes that no container has"
		if opts.All {
			what = "all volumes that no container has, also those with a name"
		}
		if err := a.sure(force || opts.DryRun, "This removes "+what+", with all that is in them."); err != nil {
			return err
		}
		done, err := a.Client().PruneVolumes(cmd.Context(), opts)
		if err != nil {
			return err
		}
		for _, v := range done.Volumes {
			fmt.Fprintln(a.Stdout, v.Name)
		}
		a.freed(done.Bytes, opts.DryRun, "")
		return nil
	}
	return cmd
}

func (a *App) volumeRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "rm [flags] VOLUME...",
		Aliases: []string{"remove"},
		Short:   "Remove volumes, with all that is in them",
		Long: `Remove volumes, with all that is in them. One that a container has, whether it runs or
not, is not removed.`,
		Example: "  davit volume rm data\n  davit volume rm $(davit volume ls -q --filter dangling=true)",
		Args:    some,
	}
	a.removes(cmd, (*api.Client).RemoveVolume)
	return cmd
}
