package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 30, (*App).execCommand)

// execFlags are the flags of `davit exec`.
type execFlags struct {
	streamFlags
	opts    api.ExecOptions
	detach  bool
	fileEnv []string
}

func (a *App) execCommand() *cobra.Command {
	var f execFlags
	cmd := &cobra.Command{
		Use:   "exec [flags] CONTAINER CMD [ARG...]",
		Short: "Run a further command in a container",
		Long: `Run a further command in a container that runs, with the environment, user and
limits of the container. davit prints its stdout and stderr, forwards signals to it,
and ends with its exit code. Flags end at the container.

Exit codes: 125 if davit failed, 126 if the command cannot be executed, 127 if it
cannot be found, else the command's own.

At a terminal, ` + defaultDetachKeys + ` leaves the command running; a ctrl-p alone goes to it after
a moment. When davit goes away otherwise, the command is hung up, and then killed,
unless --keep is set. When the host is restarted, upgraded or killed meanwhile, davit
waits for it and goes on where it was.

` + "`davit execs`" + ` lists the commands of a container, and ` + "`davit logs --exec`" + ` prints the output of
one that was started with -d.`,
		Example: `  davit exec -it web sh
  tar c . | davit exec -i web tar x -C /srv
  davit exec -d web sh -c 'sleep 60; touch /tmp/done'`,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return fmt.Errorf("give a container and a command; usage: %s", cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o := f.opts
			o.Args, o.Env = args[1:], append(f.fileEnv, f.opts.Env...)
			o.Stdin, o.Terminal = f.stdin, f.terminal
			if f.detach {
				return a.execDetached(cmd.Context(), args[0], o)
			}
			if err := f.check(a); err != nil {
				return err
			}
			return a.exec(cmd.Context(), args[0], o, f.streamFlags)
		},
	}
	cmd.ValidArgsFunction = a.completion(containerNames, false)
	fs := cmd.Flags()
	fs.SetInterspersed(false) // what follows the container is the command's
	fs.SortFlags = false
	f.inputFlags(fs)
	fs.BoolVarP(&f.detach, "detach", "d", false, "print the id of the exec and leave it running")
	fs.FuncP("env", "e", "environment `VARIABLE` NAME[=VALUE]; without a value, davit's own", func(s string) error {
		return addEnv(&f.opts.Env, s, a.Env)
	})
	fs.Func("env-file", "`FILE` with an environment variable on each line", func(s string) error {
		return readEnv(&f.fileEnv, s, a.Env)
	})
	fs.VarP((*filled)(&f.opts.Cwd), "workdir", "w", "working `DIR` in the container (default: the container's)")
	fs.VarP((*filled)(&f.opts.User), "user", "u", "`USER` to run as: USER[:GROUP], names or numbers (default: the container's)")
	fs.BoolVar(&f.opts.Privileged, "privileged", false, "give the command all capabilities")
	fs.BoolVar(&f.opts.Keep, "keep", false, "let the command go on when davit goes away")
	f.keysFlag(fs, a.Env)
	a.patienceFlag(cmd)
	return cmd
}

// execDetached starts a command and prints the id of the exec. Nobody gives it an input.
func (a *App) execDetached(ctx context.Context, reference string, o api.ExecOptions) error {
	o.Stdin = false
	e, err := a.Client().Exec(ctx, reference, o)
	if err != nil {
		return runError(err)
	}
	fmt.Fprintln(a.Stdout, e.ID)
	return nil
}

// exec runs a command in the foreground.
func (a *App) exec(ctx context.Context, reference string, o api.ExecOptions, flags streamFlags) error {
	client := a.Client()
	f := a.newForeground(flags)
	o.Console = f.terminal.size()
	id := ""
	f.started = func(b api.StreamsBegun) { id = b.Exec.ID }
	end, err := f.run(ctx, func(ctx context.Context, to api.Streams) (*api.End, error) {
		return client.ExecAttached(ctx, reference, o, to)
	})
	switch {
	case errors.Is(err, api.ErrDetached):
		a.complain(fmt.Errorf("detached: exec %s of container %s runs on", id, reference))
		return nil
	case err != nil:
		return runError(err)
	}
	return a.ended("the command", end, 0)
}
