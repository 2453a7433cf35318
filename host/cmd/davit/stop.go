package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/moby/sys/signal"
	"github.com/spf13/cobra"
)

func (a *app) stopCommand() *cobra.Command {
	var timeout seconds
	cmd := &cobra.Command{
		Use:   "stop [flags] CONTAINER...",
		Short: "Stop containers: ask them to end, then kill them",
		Long: `Stop containers: send the container's stop signal, TERM unless it was made with
another, and kill it when the timeout is over. Returns once they have ended.`,
		Example: "  davit stop web\n  davit stop -t 1m db queue",
		Args:    some,
	}
	cmd.Flags().VarP(&timeout, "timeout", "t", "how long to wait before killing, a `DURATION` or seconds; -1 is for ever (default: the container's own)")
	a.patienceFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d := time.Duration(timeout)
		if d == 0 && cmd.Flags().Changed("timeout") {
			d = 1 // at once; 0 is the container's own
		}
		client := a.client()
		return a.together(args, func(ref string) error { return client.Stop(cmd.Context(), ref, d) })
	}
	return cmd
}

func (a *app) killCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "kill [flags] CONTAINER...",
		Short:   "Send a signal to containers",
		Example: "  davit kill web\n  davit kill -s HUP web",
		Args:    some,
	}
	cmd.Flags().StringVarP(&name, "signal", "s", "KILL", "name or number of the `SIGNAL`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		sig, err := parseSignal(name)
		if err != nil {
			return err
		}
		client := a.client()
		return a.together(args, func(ref string) error { return client.Kill(cmd.Context(), ref, sig) })
	}
	return cmd
}

func (a *app) rmCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "rm [flags] CONTAINER...",
		Aliases: []string{"remove"},
		Short:   "Remove containers that have ended, with their output",
		Example: "  davit rm web\n  davit rm -f $(davit ps -aq)",
		Args:    some,
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "kill those that run, and pass over those that do not exist")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client := a.client()
		return a.together(args, func(ref string) error {
			err := client.Remove(cmd.Context(), ref, force)
			if force && errors.Is(err, executor.NotFound) {
				return errPassedOver
			}
			return err
		})
	}
	return cmd
}

func parseSignal(name string) (executor.Signal, error) {
	sig, err := signal.ParseSignal(name)
	if err != nil {
		return 0, fmt.Errorf("%q is not a signal; give a name such as TERM, or a number", name)
	}
	return sig, nil
}

// seconds is a duration that may be given as a number of seconds.
type seconds time.Duration

func (s *seconds) Type() string { return "duration" }

func (s *seconds) String() string {
	if *s == 0 {
		return "" // of the container, so no default to show
	}
	return time.Duration(*s).String()
}

// Set implements pflag.Value.
func (s *seconds) Set(value string) error {
	d, err := time.ParseDuration(value)
	if n, atoiErr := strconv.Atoi(value); atoiErr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil {
		return errors.New("give seconds, or a duration such as 1m30s")
	}
	*s = seconds(d)
	return nil
}
