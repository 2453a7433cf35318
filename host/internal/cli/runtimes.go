package cli

import (
	"cmp"
	"context"

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
	form := listFormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.runtimes(cmd.Context(), args, *form)
	}
	return cmd
}

// backendRuntime is a runtime of a backend.
type backendRuntime struct {
	Backend string `json:"backend"`
	executor.RuntimeInfo
}

func (a *App) runtimes(ctx context.Context, backends []string, form Format) error {
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
	return cmp.Or(err, runtimeTable(found).print(a.Stdout, form))
}

func runtimeTable(found []backendRuntime) listing {
	rows := make([][]string, len(found))
	for i, r := range found {
		rows[i] = []string{r.Backend, r.Name, yes(r.Default), r.Shim, r.Path, r.Version, r.Problem}
	}
	return listing{header: []string{"BACKEND", "NAME", "DEFAULT", "SHIM", "PATH", "VERSION", "PROBLEM"}, rows: rows, items: found}
}
