package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/moby/sys/signal"
	"github.com/spf13/cobra"
)

// completionTime bounds what a shell waits for after a press of the tab key.
const completionTime = time.Second

// values returns what may stand at a place of the command line. It returns what it can: an
// error has no place there.
type values func(ctx context.Context, c *api.Client) []string

// completeNames makes shells complete names: of containers and backends where the usage of
// a command asks for them, and the values of flags.
func (a *App) completeNames(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		a.completeNames(cmd)
		if cmd.ValidArgsFunction == nil && cmd.ValidArgs == nil {
			switch {
			case strings.Contains(cmd.Use, "CONTAINER"):
				cmd.ValidArgsFunction = a.completion(containerNames, strings.Contains(cmd.Use, "..."))
			case strings.Contains(cmd.Use, "BACKEND"):
				cmd.ValidArgsFunction = a.completion(backendNames, true)
			}
		}
		for flag, of := range map[string]values{
			"backend": backendNames, "runtime": runtimeNames, "signal": signalNames, "stop-signal": signalNames,
			"restart": words(api.RestartNo, api.RestartOnFailure, api.RestartAlways, api.RestartUnlessStopped),
			"format":  words(string(AsTable), string(AsJSON)),
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
		found := of(ctx, api.NewClient(a.address()))
		found = slices.DeleteFunc(found, func(name string) bool { return slices.Contains(args, name) || !strings.HasPrefix(name, begun) })
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

func words(all ...string) values {
	return func(context.Context, *api.Client) []string { return all }
}

// containerNames returns the names of containers, and the ids of those without one.
func containerNames(ctx context.Context, c *api.Client) (names []string) {
	all, _ := c.List(ctx)
	for _, c := range all {
		if c.Name != "" {
			names = append(names, c.Name)
		} else {
			names = append(names, c.ID)
		}
	}
	return names
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

func signalNames(context.Context, *api.Client) (names []string) {
	for name := range signal.SignalMap {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
