package cli

import (
	"cmp"
	"context"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/cobra"
)

var _ = Command(Host, 50, (*App).runtimesCommand)

func (a *App) runtimesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "runtimes [flags] [BACKEND...]",
		Short:   "List the runtimes of backends, of all if none is named",
		Example: "  davit runtimes\n  davit runtimes main --format json",
	}
	full := cmd.Flags().Bool("no-trunc", false, "do not shorten what is wrong with those that cannot be used")
	form := listFormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.runtimes(cmd.Context(), args, *full, *form)
	}
	return cmd
}

// backendRuntime is a runtime of a backend.
type backendRuntime struct {
	Backend string `json:"backend"`
	executor.RuntimeInfo
}

func (a *App) runtimes(ctx context.Context, backends []string, full bool, form Format) error {
	client := a.Client()
	if len(backends) == 0 {
		all, err := client.Backends(ctx)
		if err != nil {
			return err
		}
		for _, b := range all {
			backends = append(backends, b.Name)
		}
	}
	found := []backendRuntime{}
	err := a.each(backends, func(name string) error {
		runtimes, err := client.Runtimes(ctx, name)
		if err != nil {
			return err
		}
		for _, r := range runtimes {
			found = append(found, backendRuntime{name, r})
		}
		return nil
	})
	if form == AsJSON {
		return cmp.Or(err, PrintJSON(a.Stdout, found))
	}
	return cmp.Or(err, runtimeTable(found, full).print(a.Stdout, form))
}

// runtimeTable returns the table of runtimes. Most of those that cannot be used nobody has
// asked for, so that what to do about it is left out unless all of it is wanted.
func runtimeTable(found []backendRuntime, full bool) listing {
	rows := make([][]string, len(found))
	for i, r := range found {
		name, version := r.Name, r.Version
		if r.Default {
			name += " (default)"
		}
		if r.Problem != "" {
			version = "cannot be used: " + r.Problem
			if why, _, more := strings.Cut(version, ";"); more && !full {
				version = why
			}
		}
		rows[i] = []string{r.Backend, name, r.Shim, r.Path, version}
	}
	return listing{
		header: []string{"BACKEND", "NAME", "SHIM", "PATH", "VERSION"}, rows: rows, items: found, dispensable: []string{"SHIM", "PATH"},
		more: func(i int) fields {
			r := found[i]
			return fields{"Name": r.Name, "Default": yes(r.Default), "Version": r.Version, "Problem": r.Problem}
		},
	}
}
