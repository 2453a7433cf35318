package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/davit-run/davit/shared/nearest"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError explains a wrong flag.
func flagError(cmd *cobra.Command, err error) error {
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok && wrong.Unwrap() != nil {
		return fmt.Errorf("--%s %q: %w", wrong.GetFlag().Name, wrong.GetValue(), wrong.Unwrap())
	}
	var names []string
	written := ""
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedShortnames() == "" {
		written = "--" + unknown.GetSpecifiedName()
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	}
	return fmt.Errorf("%w; %s", err, Suggest(written, names, cmd.CommandPath()))
}

// Suggest returns a hint: the nearest names, or where to find help.
func Suggest(written string, names []string, path string) string {
	near := nearest.Names(written, names)
	if len(near) == 0 {
		return "see " + path + " --help"
	}
	return "did you mean " + strings.Join(near, " or ") + "?"
}

// some requires at least one argument.
func some(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("no container is given; usage: %s", cmd.UseLine())
	}
	return nil
}

// AtMost allows no more than n arguments.
func AtMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return fmt.Errorf("too many arguments (%s); usage: %s", strings.Join(args[n:], " "), cmd.UseLine())
		}
		return nil
	}
}

// NoSuchSubcommand refuses arguments where only a subcommand may stand.
func NoSuchSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return fmt.Errorf("unknown command %q; %s", args[0], Suggest(args[0], names, cmd.CommandPath()))
}
