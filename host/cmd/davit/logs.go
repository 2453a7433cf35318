package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/davit-run/davit/host"
	"github.com/spf13/cobra"
)

func (a *app) logsCommand() *cobra.Command {
	opts := host.LogOptions{Tail: -1}
	cmd := &cobra.Command{
		Use:     "logs [flags] CONTAINER",
		Short:   "Print the output of a container",
		Long:    "Print the output of a container, its stdout to stdout and its stderr to stderr.",
		Example: "  davit logs web\n  davit logs -f -n 10 web\n  davit logs -t --since 10m web",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := some(cmd, args); err != nil {
				return err
			}
			return atMost(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Dropped = a.dropped
			return a.client().Logs(cmd.Context(), args[0], opts, a.output)
		},
	}
	cmd.Flags().BoolVarP(&opts.Follow, "follow", "f", false, "go on until the container has ended")
	cmd.Flags().VarP((*tailValue)(&opts.Tail), "tail", "n", "begin `N` lines before the end, or with all")
	cmd.Flags().BoolVarP(&opts.Timestamps, "timestamps", "t", false, "put before each line when it was written")
	cmd.Flags().Func("since", "what was written since `TIME`: 10m (ago) or 2026-01-31T12:00:00Z", timeFlag(&opts.Since))
	cmd.Flags().Func("until", "what was written until `TIME`", timeFlag(&opts.Until))
	cmd.Flags().BoolVar(&opts.Stdout, "stdout", false, "only what went to stdout")
	cmd.Flags().BoolVar(&opts.Stderr, "stderr", false, "only what went to stderr")
	a.patienceFlag(cmd)
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

// dropped tells of output that is not there any more.
func (a *app) dropped(s host.Stream, bytes int64) error {
	a.complain(fmt.Errorf("%s: %d bytes are missing here: the oldest output is dropped at its limit", s, bytes))
	return nil
}

// timeFlag reads a time, or how long ago it was.
func timeFlag(t *time.Time) func(string) error {
	return func(s string) (err error) {
		if ago, err := time.ParseDuration(s); err == nil {
			*t = time.Now().Add(-ago)
			return nil
		}
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
			if *t, err = time.ParseInLocation(layout, s, time.Local); err == nil {
				return nil
			}
		}
		return errors.New("give a time such as 2026-01-31T12:00:00Z, or how long ago, such as 10m")
	}
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
