package cli

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 40, (*App).logsCommand)

func (a *App) logsCommand() *cobra.Command {
	opts := api.LogOptions{}
	previous, exec := false, ""
	cmd := &cobra.Command{
		Use:   "logs [flags] CONTAINER",
		Short: "Print the output of a container",
		Long: `Print the output of a container, its stdout to stdout and its stderr to stderr. Each
start of a container is an attempt: printed are all that are kept, in their order.

With --timestamps a time that is not certain is followed by ~ and a duration: the line
was written then, or up to that much earlier. davit's own shim, and the executors
process and wasm, know when each line came; with other shims the host looks once a
second.

With --exec it is the output of a further command that was started with ` + "`davit exec -d`" + `, or
that has a terminal.`,
		Example: "  davit logs web\n  davit logs -f -n 10 web\n  davit logs -t --since 10m web\n  davit logs --previous web\n  davit logs -f --exec $(davit exec -d web make) web",
		Args:    oneContainer,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Dropped = a.dropped
			if opts.Follow && exec == "" {
				defer a.explainWait(cmd.Context(), args[0], 0)()
			}
			if previous {
				if opts.Attempt != 0 {
					return errors.New("give --attempt or --previous, not both")
				}
				opts.Attempt = -1
			}
			if exec != "" {
				return a.execLogs(cmd.Context(), args[0], exec, opts)
			}
			return a.Client().Logs(cmd.Context(), args[0], opts, a.output)
		},
	}
	cmd.Flags().BoolVarP(&opts.Follow, "follow", "f", false, "go on, over restarts, until the container has ended")
	a.execFlag(cmd, &exec, "the output of exec `ID`, or of the one whose id begins so")
	cmd.Flags().Var((*attemptValue)(&opts.Attempt), "attempt", "only attempt `N`, from 1, or all; with --follow one to come is waited for")
	cmd.Flags().BoolVarP(&previous, "previous", "p", false, "only the attempt before the present one")
	cmd.Flags().VarP(tailFlag(&opts.Tail), "tail", "n", "begin `N` lines before the end, or with all")
	cmd.Flags().BoolVarP(&opts.Timestamps, "timestamps", "t", false, "put before each line when it was written")
	cmd.Flags().Func("since", "what was written since `TIME`: 10m (ago), 2026-01-31T12:00:00Z, or Unix seconds", timeFlag(&opts.Since))
	cmd.Flags().Func("until", "what was written until `TIME`", timeFlag(&opts.Until))
	cmd.Flags().BoolVar(&opts.Stdout, "stdout", false, "only what went to stdout")
	cmd.Flags().BoolVar(&opts.Stderr, "stderr", false, "only what went to stderr")
	a.patienceFlag(cmd)
	return cmd
}

// output is an api.Sink that writes each stream to that of this program.
func (a *App) output(s api.Stream, data []byte) error {
	w := a.Stdout
	if s == api.Stderr {
		w = a.Stderr
	}
	_, err := w.Write(data)
	return err
}

// dropped reports output that is not kept any more.
func (a *App) dropped(s api.Stream, bytes int64) error {
	a.complain(fmt.Errorf("%s: %d bytes are missing here: the oldest output is dropped at its limit", s, bytes))
	return nil
}

// attemptValue is the number of an attempt; 0 means all.
type attemptValue int

// Type implements pflag.Value.
func (n *attemptValue) Type() string { return "attempt" }

func (n *attemptValue) String() string {
	if *n == 0 {
		return "all"
	}
	return strconv.Itoa(int(*n))
}

// Set implements pflag.Value.
func (n *attemptValue) Set(s string) error {
	if s == "all" {
		*n = 0
		return nil
	}
	v, err := strconv.Atoi(s)
	if err != nil || v < 1 {
		return errors.New("give the number of an attempt, from 1, or all")
	}
	*n = attemptValue(v)
	return nil
}

// tailValue sets a number of lines or events; nil means all.
type tailValue[N int | uint64] struct{ n **N }

func tailFlag[N int | uint64](n **N) *tailValue[N] { return &tailValue[N]{n} }

func (t *tailValue[N]) Type() string { return "lines" }

func (t *tailValue[N]) String() string {
	if t.n == nil || *t.n == nil {
		return "all"
	}
	return fmt.Sprint(**t.n)
}

// Set implements pflag.Value.
func (t *tailValue[N]) Set(s string) error {
	if s == "all" || s == "-1" { // as in docker
		*t.n = nil
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return errors.New("give a number, from 0, or all")
	}
	*t.n = new(N(n))
	return nil
}
