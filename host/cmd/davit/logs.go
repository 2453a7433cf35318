package main

import (
	"fmt"
	"strconv"

	"github.com/davit-run/davit/host"
	"github.com/spf13/cobra"
)

func (a *app) logsCommand() *cobra.Command {
	opts := host.LogOptions{Tail: -1}
	cmd := &cobra.Command{
		Use:     "logs [flags] CONTAINER",
		Short:   "Print the output of a container",
		Long:    "Print the output of a container, its stdout to stdout and its stderr to stderr.",
		Example: "  davit logs web\n  davit logs -f -n 10 web",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := some(cmd, args); err != nil {
				return err
			}
			return atMost(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.client().Logs(cmd.Context(), args[0], opts, a.output)
		},
	}
	cmd.Flags().BoolVarP(&opts.Follow, "follow", "f", false, "go on until the container has ended")
	cmd.Flags().VarP((*tailValue)(&opts.Tail), "tail", "n", "begin `N` lines before the end, or with all")
	cmd.Flags().BoolVar(&opts.Stdout, "stdout", false, "only what went to stdout")
	cmd.Flags().BoolVar(&opts.Stderr, "stderr", false, "only what went to stderr")
	return cmd
}

// output is a host.Sink that writes each stream to our own.
func (a *app) output(s host.Stream, data []byte) error {
	w := a.stdout
	if s == host.Stderr {
		w = a.stderr
	}
	_, err := w.Write(data)
	return err
}

// tailValue is a number of lines, -1 for all.
type tailValue int

func (t *tailValue) Type() string { return "lines" }

func (t *tailValue) String() string {
	if *t < 0 {
		return "all"
	}
	return strconv.Itoa(int(*t))
}

// Set implements pflag.Value.
func (t *tailValue) Set(s string) error {
	if s == "all" {
		*t = -1
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return fmt.Errorf("give a number of lines, or all")
	}
	*t = tailValue(n)
	return nil
}
