package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/moby/sys/signal"
	"github.com/spf13/cobra"
)

// completionTime bounds what a shell waits for after a press of the tab key.
const completionTime = time.Second

// values returns what may stand at a place of the command line. It returns what it can: an
// error has no place there.
type values func(ctx context.Context, c *api.Client) []string

// completeNames makes shells complete names: of containers, images, volumes and backends where the
// usage of a command asks for them, and the values of flags.
func (a *App) completeNames(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		a.completeNames(cmd)
		if cmd.ValidArgsFunction == nil && cmd.ValidArgs == nil {
			switch {
			case strings.Contains(cmd.Use, "CONTAINER"):
				cmd.ValidArgsFunction = a.completion(containerNames, strings.Contains(cmd.Use, "..."))
			case strings.Contains(cmd.Use, "IMAGE"):
				cmd.ValidArgsFunction = a.completion(imageNames, strings.Contains(cmd.Use, "IMAGE..."))
			case strings.Contains(cmd.Use, "VOLUME..."):
				cmd.ValidArgsFunction = a.completion(volumeNames, true)
			case strings.Contains(cmd.Use, "NETWORK..."):
				cmd.ValidArgsFunction = a.completion(networkNames, true)
			case strings.Contains(cmd.Use, "STRAY"):
				cmd.ValidArgsFunction = a.completion(strayIDs, true)
			case strings.Contains(cmd.Use, "BACKEND"):
				cmd.ValidArgsFunction = a.completion(backendNames, true)
			}
		}
		for flag, of := range map[string]values{
			"backend": backendNames, "runtime": runtimeNames, "signal": signalNames, "stop-signal": signalNames, "network": networkModes,
			"volumes-from": containerNames, "cap-add": capabilityNames, "cap-drop": capabilityNames,
			"pid": pidModes, "ipc": ipcModes,
			"uts":         words(ocispec.NamespacePrivate, ocispec.NamespaceHost),
			"cgroupns":    words(ocispec.NamespacePrivate, ocispec.NamespaceHost),
			"attach":      words("stdin", "stdout", "stderr"),
			"restart":     words(api.RestartNo, api.RestartOnFailure, api.RestartAlways, api.RestartUnlessStopped),
			"format":      words(AsTable, AsJSON),
			"condition":   words(api.WaitConditions()...),
			"image-store": words(api.ImageStoreHost, api.ImageStoreBackend),
			"pull":        words(pullMissing, pullAlways, pullNever),
		} {
			if cmd.Flags().Lookup(flag) != nil {
				_ = cmd.RegisterFlagCompletionFunc(flag, a.completion(of, true)) // fails if there is one
			}
		}
		for _, flag := range []string{"rootfs", "bundle"} {
			if cmd.Flags().Lookup(flag) != nil {
				_ = cmd.MarkFlagDirname(flag)
			}
		}
	}
}

// completion returns the function that cobra calls for an argument. several says that more
// than one argument may follow; none is offered twice.
func (a *App) completion(of values, several bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 && !several {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
		defer cancel()
		found := of(ctx, a.newClient())
		found = slices.DeleteFunc(found, func(name string) bool { return slices.Contains(args, name) || !strings.HasPrefix(name, begun) })
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

func words[S ~string](all ...S) values {
	return func(context.Context, *api.Client) (texts []string) {
		for _, word := range all {
			texts = append(texts, string(word))
		}
		return texts
	}
}

// imageNames returns the names of images, and the ids of those without one.
func imageNames(ctx context.Context, c *api.Client) (names []string) {
	all, _ := c.Images(ctx)
	for _, image := range all {
		if len(image.Names) == 0 {
			names = append(names, shortDigest(image.ID))
		}
		names = append(names, image.Names...)
	}
	return names
}

// containerNames returns the names of containers, and the ids of those without one.
func containerNames(ctx context.Context, c *api.Client) (names []string) {
	all, _ := c.List(ctx)
	for _, c := range all {
		if c.Name != "" {
			names = append(names, c.Name)
		} else {
			names = append(names, api.ShortID(c.ID))
		}
	}
	return names
}

func volumeNames(ctx context.Context, c *api.Client) (names []string) {
	all, _ := c.Volumes(ctx)
	for _, v := range all {
		names = append(names, v.Name)
	}
	return names
}

func networkNames(ctx context.Context, c *api.Client) (names []string) {
	all, _ := c.Networks(ctx)
	for _, n := range all {
		names = append(names, n.Name)
	}
	return names
}

// networkModes returns what --network may be.
func networkModes(ctx context.Context, c *api.Client) []string {
	names := append(networkNames(ctx, c), ocispec.NetworkNone, ocispec.NetworkHost, ocispec.NetworkUser, api.DefaultNetwork)
	all, _ := c.List(ctx)
	for _, other := range all {
		if len(other.Addresses) > 0 || strings.HasPrefix(other.Network, ocispec.NetworkContainer) {
			names = append(names, ocispec.NetworkContainer+cmp.Or(other.Name, api.ShortID(other.ID)))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// pidModes returns what --pid may be.
func pidModes(ctx context.Context, c *api.Client) []string {
	return sharingModes(ctx, c, func(other api.Container) bool { return other.PIDMode != ocispec.NamespaceHost },
		ocispec.NamespacePrivate, ocispec.NamespaceHost)
}

// ipcModes returns what --ipc may be.
func ipcModes(ctx context.Context, c *api.Client) []string {
	return sharingModes(ctx, c, func(other api.Container) bool { return other.IPCMode == ocispec.NamespaceShareable },
		ocispec.NamespacePrivate, ocispec.NamespaceHost, ocispec.NamespaceShareable, ocispec.NamespaceNone)
}

// sharingModes returns modes, and those of the containers that run and share what they have.
func sharingModes(ctx context.Context, c *api.Client, shares func(api.Container) bool, modes ...string) []string {
	all, _ := c.List(ctx)
	for _, other := range all {
		if other.PID > 0 && shares(other) {
			modes = append(modes, ocispec.NamespaceContainer+cmp.Or(other.Name, api.ShortID(other.ID)))
		}
	}
	slices.Sort(modes)
	return modes
}

func backendNames(ctx context.Context, c *api.Client) (names []string) {
	all, _ := c.Backends(ctx)
	for _, b := range all {
		names = append(names, b.Name)
	}
	return names
}

// runtimeNames returns the names of the runtimes of all backends.
func runtimeNames(ctx context.Context, c *api.Client) (names []string) {
	for _, backend := range backendNames(ctx, c) {
		all, _ := c.Runtimes(ctx, backend)
		for _, r := range all {
			names = append(names, r.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// strayIDs returns the ids of strays as people see them.
func strayIDs(ctx context.Context, c *api.Client) (ids []string) {
	all, _ := c.Strays(ctx)
	for _, s := range all {
		ids = append(ids, api.ShortID(s.ID))
	}
	return ids
}

func capabilityNames(context.Context, *api.Client) []string {
	return append(ocispec.Capabilities(), "ALL")
}

func signalNames(context.Context, *api.Client) (names []string) {
	for name := range signal.SignalMap {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
