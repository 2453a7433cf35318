package cli

import (
	"fmt"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Images, 50, (*App).imageCommand)

func (a *App) imageCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "image",
		Short:   "Inspect and check images, and remove unused ones",
		Example: "  davit image inspect busybox\n  davit image prune --all",
	}
	history := a.historyCommand()
	history.Example = strings.ReplaceAll(history.Example, "davit history", "davit image history")
	cmd.AddCommand(a.imageInspectCommand(), history, a.imagePruneCommand(), a.imageCheckCommand())
	return cmd
}

func (a *App) imageInspectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "inspect [flags] IMAGE...",
		Short:   "Print all about images, as a JSON array",
		Example: "  davit image inspect busybox | jq .[0].config.cmd\n  davit image inspect -f '{{.Config.Cmd}}' busybox",
		Args:    some,
	}
	inspects(a, cmd, (*api.Client).InspectImage, func(all []api.ImageDetails) listing {
		return listing{items: all, more: func(i int) fields { return imageFields(all[i]) }}
	})
	return cmd
}

// imageFields are fields by the names that docker image inspect has.
func imageFields(image api.ImageDetails) fields {
	system, architecture, _ := strings.Cut(image.Platform, "/")
	set := func(list []string) map[string]any {
		all := map[string]any{}
		for _, name := range list {
			all[name] = struct{}{}
		}
		return all
	}
	labels := map[string]any{}
	for name, value := range image.Config.Labels {
		labels[name] = value
	}
	return fields{
		"Id": image.ID, "ID": image.ID, "RepoTags": image.Names, "Created": rfc3339(image.CreatedAt), "Size": image.Size, "Os": system, "Architecture": architecture,
		"Config": map[string]any{
			"Cmd": image.Config.Cmd, "Entrypoint": image.Config.Entrypoint, "Env": image.Config.Env, "User": image.Config.User, "WorkingDir": image.Config.WorkingDir,
			"StopSignal": image.Config.StopSignal, "Labels": labels, "ExposedPorts": set(image.Config.ExposedPorts), "Volumes": set(image.Config.Volumes),
			"Healthcheck": healthCheckFields(image.Config.HealthCheck),
		},
	}
}

func (a *App) imagePruneCommand() *cobra.Command {
	var opts api.PruneImagesOptions
	cmd := &cobra.Command{
		Use:   "prune [flags]",
		Short: "Remove the images that have no name and no container",
		Long: `Remove the images that have neither a name nor a container, and what interrupted work
has left. What a container needs is never removed.`,
		Example: "  davit image prune\n  davit image prune --all --dry-run",
		Args:    AtMost(0),
	}
	cmd.Flags().BoolVarP(&opts.All, "all", "a", false, "also those with a name")
	cmd.Flags().BoolVarP(&opts.DryRun, "dry-run", "n", false, "only print what would be removed")
	unaskedFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		done, err := a.Client().PruneImages(cmd.Context(), opts)
		if err != nil {
			return err
		}
		for _, image := range done.Images {
			fmt.Fprintln(a.Stdout, Printable(nameOf(image)))
		}
		a.freed(done.Bytes, opts.DryRun, ", less what other images share")
		return nil
	}
	return cmd
}
