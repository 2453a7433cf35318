package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/cobra"
)

// found returns what inspect, a method of the client, returns for each argument.
func found[T any](ctx context.Context, a *App, args []string, inspect func(*api.Client, context.Context, string) (T, error)) ([]T, error) {
	client := a.Client()
	all := []T{}
	err := a.each(args, func(name string) error {
		one, err := inspect(client, ctx, name)
		if err == nil {
			all = append(all, one)
		}
		return err
	})
	return all, err
}

// inspects has a command print all about what its arguments name, which inspect, a method of
// the client, returns. of has the fields for templates.
func inspects[T any](a *App, cmd *cobra.Command, inspect func(*api.Client, context.Context, string) (T, error), of func([]T) listing) {
	form := AsJSON
	cmd.Flags().VarP(inspectFormat{&form}, "format", "f", "print json, or what a Go `TEMPLATE` makes of each; it has the names of the JSON, and docker's")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		all, err := found(cmd.Context(), a, args, inspect)
		if !form.templated() {
			return cmp.Or(err, PrintJSON(a.Stdout, all))
		}
		return errors.Join(of(all).print(a.Stdout, form), err)
	}
}

// lists has a command print a list of what has names.
func lists[T any](a *App, cmd *cobra.Command, list func(context.Context) ([]T, error), name func(T) string, of func([]T) listing) {
	var quiet bool
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print only names")
	form := listFormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		all, err := list(cmd.Context())
		if err != nil {
			return err
		}
		switch {
		case quiet:
			for _, one := range all {
				fmt.Fprintln(a.Stdout, name(one))
			}
			return nil
		case *form == AsJSON:
			return PrintJSON(a.Stdout, all)
		}
		return of(all).print(a.Stdout, *form)
	}
}

// removes has a command remove what its arguments name by a method of the client.
func (a *App) removes(cmd *cobra.Command, remove func(*api.Client, context.Context, string) error) {
	var force bool
	cmd.Flags().BoolVarP(&force, "force", "f", false, "pass over those that do not exist")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client := a.Client()
		return a.together(args, func(name string) error {
			err := remove(client, cmd.Context(), name)
			if force && errors.Is(err, executor.NotFound) {
				return errSkipped
			}
			return err
		})
	}
}
