package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/davit-run/davit/shared/nearest"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError explains a wrong flag.
func flagError(cmd *cobra.Command, err error) error {
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok && wrong.Unwrap() != nil {
		return wrongValue(wrong)
	}
	var names []string
	written := ""
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedShortnames() == "" {
		written = "--" + unknown.GetSpecifiedName()
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	}
	return fmt.Errorf("%w; %s", err, Suggest(written, names, cmd.CommandPath()))
}

// wrongValue explains a wrong value of a flag. What is wrong with it may begin with what it is,
// as in `memory "4x" is not a size`: the flag's name takes the place of that.
func wrongValue(wrong *pflag.InvalidValueError) error {
	name, value, why := wrong.GetFlag().Name, strconv.Quote(wrong.GetValue()), wrong.Unwrap()
	what, rest, ok := strings.Cut(why.Error(), value)
	if ok && strings.Trim(what, "abcdefghijklmnopqrstuvwxyz ") == "" && (strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, ": ")) {
		return &reworded{fmt.Sprintf("--%s %s%s", name, value, rest), why}
	}
	return fmt.Errorf("--%s %s: %w", name, value, why)
}

// reworded is an error in other words.
type reworded struct {
	text string
	err  error
}

func (e *reworded) Error() string { return e.text }
func (e *reworded) Unwrap() error { return e.err }

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
	return noSuchCommand(cmd, args[0])
}
