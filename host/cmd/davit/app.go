package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/agext/levenshtein"
	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Exit codes of `davit run`, as docker has them. Other commands fail with 1.
const (
	exitFailed        = 1
	exitRunFailed     = 125
	exitNotExecutable = 126
	exitNotFound      = 127
)

const defaultSocket = "/run/davit/davit.sock"

// app is one call of the program.
type app struct {
	stdout, stderr io.Writer
	env            func(string) (string, bool)
	socket         string
	patience       seconds
	away           atomic.Bool // the host, while we wait for it
}

// codeError ends the program with a code. A nil err has been reported already.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// main runs a command and gives the program's exit code.
func (a *app) main(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	code := exitFailed
	if cmd.Name() == "run" {
		code = exitRunFailed
	}
	if coded, ok := errors.AsType[*codeError](err); ok {
		code, err = coded.code, coded.err
	}
	a.complain(err)
	return code
}

// complain reports an error in one line, or one line each of several.
func (a *app) complain(err error) {
	if err == nil {
		return
	}
	for line := range strings.Lines(strings.TrimSpace(err.Error())) {
		fmt.Fprintf(a.stderr, "davit: %s\n", printable(strings.TrimSuffix(line, "\n")))
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "davit",
		Short: "davit runs OCI containers through pluggable backends",
		Long: `davit runs OCI containers through pluggable backends.

` + "`davit serve`" + ` is the host; the other commands talk to it over its Unix socket.`,
		Args:              cobra.ArbitraryArgs, // so that RunE explains a wrong one
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			var names []string
			for _, c := range cmd.Commands() {
				names = append(names, c.Name())
			}
			return fmt.Errorf("unknown command %q; %s", args[0], suggest(args[0], names, cmd.CommandPath()))
		},
	}
	socket, ok := a.env("DAVIT_HOST")
	if !ok || socket == "" {
		socket = defaultSocket
	}
	root.PersistentFlags().StringVar(&a.socket, "host", socket, "`SOCKET` of the host (environment: DAVIT_HOST)")
	root.SetFlagErrorFunc(flagError)

	const containers, hosts, authors = "containers", "host", "executors"
	root.AddGroup(&cobra.Group{ID: containers, Title: "Containers:"}, &cobra.Group{ID: hosts, Title: "Host:"}, &cobra.Group{ID: authors, Title: "Executors:"})
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(containers, a.runCommand(), a.psCommand(), a.inspectCommand(), a.logsCommand(), a.startCommand(), a.stopCommand(), a.killCommand(), a.waitCommand(), a.rmCommand())
	add(hosts, a.serveCommand(), a.validateCommand(), a.backendsCommand(), a.backendCommand(), a.runtimesCommand(), a.eventsCommand(), a.versionCommand())
	add(authors, a.executorsCommand(), a.conformanceCommand(), a.newCommand())
	root.AddCommand(a.workloadCommand())
	// The program alone does nothing, though cobra must be able to run it.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable .HasParent}}", 1))
	root.SetHelpCommandGroupID(hosts)
	root.SetCompletionCommandGroupID(hosts)
	cobra.EnableCommandSorting = false
	return root
}

// client gives a client of the host that the user means.
func (a *app) client() *api.Client {
	c := api.NewClient(strings.TrimPrefix(a.socket, "unix://"))
	c.Patience = time.Duration(a.patience)
	c.Gone = func(reason error) {
		a.away.Store(true)
		a.complain(fmt.Errorf("the host is gone, waiting for it to come back: %w", reason))
	}
	c.Back = func() {
		a.away.Store(false)
		a.complain(errors.New("the host is back"))
	}
	return c
}

// patienceFlag adds --reconnect to a command that waits or streams.
func (a *app) patienceFlag(cmd *cobra.Command) {
	a.patience = seconds(5 * time.Minute)
	cmd.Flags().Var(&a.patience, "reconnect", "how long to wait for a host that goes away meanwhile, a `DURATION` or seconds; 0 is not at all")
}

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
	return fmt.Errorf("%w; %s", err, suggest(written, names, cmd.CommandPath()))
}

// suggest says what may have been meant, or where to look.
func suggest(written string, names []string, path string) string {
	var near []string
	for _, name := range names {
		if d := levenshtein.Distance(written, name, nil); d <= max(1, len(name)/3) {
			near = append(near, name)
		}
	}
	if len(near) == 0 {
		return "see " + path + " --help"
	}
	return "did you mean " + strings.Join(near, " or ") + "?"
}

// some wants at least one argument.
func some(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("no container is given; usage: %s", cmd.UseLine())
	}
	return nil
}

// atMost wants no more than n arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return fmt.Errorf("too many arguments (%s); usage: %s", strings.Join(args[n:], " "), cmd.UseLine())
		}
		return nil
	}
}

// each does something with each argument, whatever becomes of the others.
func (a *app) each(args []string, do func(arg string) error) error {
	failed := false
	for _, arg := range args {
		if err := do(arg); err != nil {
			a.complain(err)
			failed = true
		}
	}
	if failed {
		return &codeError{code: exitFailed}
	}
	return nil
}

// errPassedOver is the error of a container for which there was nothing to do.
var errPassedOver = errors.New("passed over")

// together does something to containers, several at once, and prints those to
// which it was done, in the order in which they were given.
func (a *app) together(refs []string, do func(ref string) error) error {
	results := make([]chan error, len(refs))
	slots := make(chan struct{}, 16)
	for i, ref := range refs {
		results[i] = make(chan error, 1)
		go func() {
			slots <- struct{}{}
			results[i] <- do(ref)
			<-slots
		}()
	}
	next := 0
	return a.each(refs, func(ref string) error {
		err := <-results[next]
		next++
		if err == nil {
			fmt.Fprintln(a.stdout, ref)
		}
		if errors.Is(err, errPassedOver) {
			return nil
		}
		return err
	})
}
