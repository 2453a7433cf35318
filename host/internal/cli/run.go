package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 10, (*App).runCommand)

func (a *App) runCommand() *cobra.Command {
	var flags runFlags
	var attached attachFlags
	cmd := &cobra.Command{
		Use:   "run [flags] (IMAGE | --rootfs DIR | --bundle DIR) [CMD [ARG...]]",
		Short: "Run a container",
		Long: `Run a container, in the foreground unless --detach is set: davit prints its stdout
and stderr, forwards signals to it, and ends with its exit code. Flags end at the
image, or at the first word of the command. Without -i the container's stdin is empty, and
a pipe into davit is not read.

A container that is made from an image writes to a layer of its own, which is kept over
restarts and removed with the container. With --rootfs it writes to that directory.

Exit codes: 125 if davit failed, 126 if the command cannot be executed, 127 if it
cannot be found, else the container's own. After a third SIGINT or SIGTERM davit
leaves the container running, and so does ` + defaultDetachKeys + ` at a terminal (a ctrl-p
alone goes to the container after a moment).

When the host is restarted, upgraded or killed meanwhile, davit waits for it to come
back and goes on where it was; the container does not notice. While it waits, a
SIGINT makes it leave at once. With a restart policy, davit ends with the
container's first run and leaves the rest to the host, as docker does.`,
		Example: `  davit run --rm busybox echo hello
  davit run --rootfs /srv/busybox echo hello
  davit run --rootfs /srv/busybox -d --name web -v ./www:/www:ro -m 64m httpd -f -h /www
  davit run --rootfs /srv/busybox -it --rm sh
  davit run --bundle ./bundle --runtime io.containerd.runc.v2 --rm`,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, ids, err := flags.parsed(args)
			if err != nil {
				return err
			}
			defer ids.close()
			streams := flags.streams
			if err := attached.apply(&opts, &streams, flags.detach); err != nil {
				return err
			}
			if err := a.pullFor(cmd.Context(), opts, &flags, cmd.Flags().Changed); err != nil {
				return err
			}
			switch {
			case flags.detach:
				return a.detach(cmd.Context(), opts, ids)
			case opts.Stdin || opts.Terminal:
				return a.runStreams(cmd.Context(), opts, ids, streams, attached)
			}
			return a.attach(cmd.Context(), opts, ids, attached)
		},
	}
	cmd.Flags().BoolVarP(&flags.detach, "detach", "d", false, "print the container's id and leave it running")
	flags.register(cmd.Flags(), a.Env)
	attached.register(cmd.Flags())
	flags.streams.keysFlag(cmd.Flags(), a.Env)
	a.patienceFlag(cmd)
	return cmd
}

// runStreams runs a container in the foreground, with an input or a terminal.
func (a *App) runStreams(ctx context.Context, opts api.ContainerOptions, ids *cidfile, flags streamFlags, attached attachFlags) error {
	if err := flags.check(a); err != nil {
		return err
	}
	client := a.Client()
	f := a.newForeground(flags)
	f.output, f.signals, f.memory = a.attachedOutput(attached), attached.signals, opts.Process.MemoryBytes
	if size := f.terminal.size(); size != nil {
		opts.Process.ConsoleSize = &specs.Box{Width: uint(size.Width), Height: uint(size.Height)}
	}
	f.started = func(b api.StreamsBegun) {
		a.attachedTo(attached, b.Container.ID)
		a.complain(ids.write(b.Container.ID))
	}
	return a.follow(ctx, "", f, func(ctx context.Context, to api.Streams) (*api.End, error) {
		return client.RunStreams(ctx, opts, "", to)
	})
}

// detach starts a container and prints its id.
func (a *App) detach(ctx context.Context, opts api.ContainerOptions, ids *cidfile) error {
	c, err := a.Client().Create(ctx, opts)
	if err != nil {
		return runError(err)
	}
	fmt.Fprintln(a.Stdout, c.ID)
	return ids.write(c.ID)
}

// runError returns the error of `davit run`, with its exit code.
func runError(err error) error {
	code := exitRunFailed
	switch {
	case errors.Is(err, executor.CommandNotFound):
		code = exitNotFound
	case errors.Is(err, executor.CommandNotExecutable):
		code = exitNotExecutable
	}
	return &ExitError{Code: code, Err: err}
}
