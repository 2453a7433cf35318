package main

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/cobra"
)

func (a *app) backendsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backends [flags]",
		Short: "List backends and the state of their executors",
		Long: `List backends and the state of their executors: since when it lasts, how often the
executor was replaced since the host came up, and why it failed last.`,
		Example: "  davit backends\n  davit backends --format json",
		Args:    atMost(0),
	}
	var full bool
	cmd.Flags().BoolVar(&full, "no-trunc", false, "do not shorten messages")
	form := formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		backends, err := a.client().Backends(cmd.Context())
		if err != nil {
			return err
		}
		if *form == asJSON {
			return printJSON(a.stdout, backends)
		}
		rows, now := make([][]string, len(backends)), time.Now()
		for i, b := range backends {
			name, problem := b.Name, b.LastError
			if b.Default {
				name += " (default)"
			}
			if problem != "" {
				problem = since(b.LastErrorAt, now) + " ago: " + problem
			}
			if !full {
				problem = shorten(problem, 80)
			}
			capabilities := make([]string, len(b.Capabilities))
			for i, c := range b.Capabilities {
				capabilities[i] = string(c)
			}
			rows[i] = []string{
				name, b.Description.Name, string(b.State) + " " + since(b.Since, now), number(b.PID), b.Description.Version,
				strconv.Itoa(b.Containers), strconv.Itoa(max(0, b.Starts+b.Attaches-1)), strings.Join(capabilities, ","), problem,
			}
		}
		return printTable(a.stdout, []string{"NAME", "EXECUTOR", "STATE", "PID", "VERSION", "CONTAINERS", "RESTARTS", "CAPABILITIES", "LAST ERROR"}, rows)
	}
	return cmd
}

func (a *app) backendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "backend",
		Short:   "Restart or upgrade the executors of backends",
		Example: "  davit backend restart main",
	}
	cmd.AddCommand(&cobra.Command{
		Use:     "restart BACKEND...",
		Aliases: []string{"upgrade"},
		Short:   "Replace executors by what is installed now; containers run on",
		Long: `Replace the executor of each backend by one of the program that is installed now.
Its containers run on and do not notice.`,
		DisableFlagsInUseLine: true,
		Example:               "  davit backend restart main",
		Args:                  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := a.client()
			return a.together(args, func(name string) error { return client.RestartBackend(cmd.Context(), name) })
		},
	})
	return cmd
}

func (a *app) runtimesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "runtimes [flags] [BACKEND...]",
		Short:   "List the runtimes of backends, of all if none is named",
		Example: "  davit runtimes\n  davit runtimes main --format json",
	}
	form := formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.runtimes(cmd.Context(), args, *form)
	}
	return cmd
}

// backendRuntime is a runtime and where it is.
type backendRuntime struct {
	Backend string `json:"backend"`
	executor.RuntimeInfo
}

func (a *app) runtimes(ctx context.Context, backends []string, form format) error {
	client := a.client()
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
	if form == asJSON {
		return cmp.Or(err, printJSON(a.stdout, found))
	}
	return cmp.Or(err, a.runtimeTable(found))
}

func (a *app) runtimeTable(found []backendRuntime) error {
	rows := make([][]string, len(found))
	for i, r := range found {
		rows[i] = []string{r.Backend, r.Name, yes(r.Default), r.Shim, r.Path, r.Version, r.Problem}
	}
	return printTable(a.stdout, []string{"BACKEND", "NAME", "DEFAULT", "SHIM", "PATH", "VERSION", "PROBLEM"}, rows)
}
