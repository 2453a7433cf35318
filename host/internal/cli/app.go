package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

// Exit codes of `davit run` and `davit exec`, the same as docker's. Other commands fail with 1.
const (
	ExitFailed        = 1
	exitRunFailed     = 125
	exitNotExecutable = 126
	exitNotFound      = 127
)

const defaultSocket = "/run/davit/davit.sock"

// App is one invocation of the program.
type App struct {
	// Stdin is nil if there is none.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Env            func(name string) (string, bool)
	// Build is what the program was built from.
	Build api.Version
	// Elsewhere, if not nil, is called for what the program does not know: other
	// commands, help, completion. It replaces the program, and returns only the error
	// if it cannot.
	Elsewhere func() error

	socket   string // or an address on TCP
	tlsDir   string
	patience Seconds
	away     atomic.Bool // the host is away and waited for
	raw      atomic.Bool // the terminal does not begin a line where one ends
	missing  error       // of Elsewhere
}

// HelpWidth returns how many columns help may take: those of the terminal, if that is
// wider than usual, and not so many that lines are hard to read.
func HelpWidth(w any) int {
	const least, most = 80, 110
	return min(max(terminalWidth(w), least), most)
}

// ExitError ends the program with a code. A nil Err has been reported already.
type ExitError struct {
	Code int
	Err  error
}

func (e *ExitError) Error() string { return fmt.Sprintf("exit code %d", e.Code) }

// New returns the App of this process. version and commit are set by the linker, or
// empty.
func New(version, commit string) *App {
	return &App{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: os.LookupEnv, Build: build(version, commit)}
}

// Main runs a command and returns the program's exit code.
func (a *App) Main(ctx context.Context, args []string) int {
	root := a.Root()
	found, _, _ := root.Find(args)
	if found == root && a.Elsewhere != nil {
		a.missing = a.Elsewhere()
	}
	ctx, end := a.traced(ctx, found)
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		a.completeNames(root) // for nothing else
	}
	root.SetArgs(args)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		end(0, nil)
		return 0
	}
	code := ExitFailed
	if cmd.Name() == "run" || cmd.Name() == "exec" {
		code = exitRunFailed
	}
	if coded, ok := errors.AsType[*ExitError](err); ok {
		code, err = coded.Code, coded.Err
	}
	a.complain(err)
	end(code, err)
	return code
}

// complain prints an error, and prefixes each line of it with the program's name.
func (a *App) complain(err error) {
	if err == nil {
		return
	}
	end := "\n"
	if a.raw.Load() {
		end = "\r\n"
	}
	for line := range strings.Lines(strings.TrimSpace(err.Error())) {
		fmt.Fprintf(a.Stderr, "davit: %s%s", Printable(strings.TrimSuffix(line, "\n")), end)
	}
}

// Root returns the root command, with all others below it.
func (a *App) Root() *cobra.Command {
	root := &cobra.Command{
		Use:   "davit",
		Short: "davit runs OCI containers through pluggable backends",
		Long: `davit runs OCI containers through pluggable backends.

` + "`davit serve`" + ` is the host; the other commands talk to it over its Unix socket, or over
TCP with TLS.`,
		Args:              cobra.ArbitraryArgs, // so that RunE explains a wrong one
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			if a.missing != nil {
				return fmt.Errorf("command %q: %w", args[0], a.missing)
			}
			var names []string
			for _, c := range cmd.Commands() {
				names = append(names, c.Name())
			}
			return fmt.Errorf("unknown command %q; %s", args[0], Suggest(args[0], names, cmd.CommandPath()))
		},
	}
	socket, ok := a.Env("DAVIT_HOST")
	if !ok || socket == "" {
		socket = defaultSocket
	}
	root.PersistentFlags().StringVar(&a.socket, "host", socket, "`ADDRESS` of the host: a socket, or tcp://NAME:PORT (environment: DAVIT_HOST)")
	root.PersistentFlags().StringVar(&a.tlsDir, "tls-dir", "", "`DIR` with ca.pem, cert.pem and key.pem, for a host on TCP (environment: DAVIT_CERT_PATH)")
	_ = root.MarkPersistentFlagDirname("tls-dir")
	root.SetFlagErrorFunc(flagError)
	root.Version = cmp.Or(a.Build.Version, "devel") // for --version; `davit version` says more
	root.SetVersionTemplate("davit {{.Version}}\n")

	a.addCommands(root)
	// Without a command the program prints help, though cobra must be able to run it.
	usage := strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable .HasParent}}", 1)
	usage = strings.ReplaceAll(usage, ".FlagUsages", ".FlagUsagesWrapped "+strconv.Itoa(HelpWidth(a.Stdout)))
	root.SetUsageTemplate(usage)
	cobra.EnableCommandSorting = false
	return root
}
