package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func (a *app) runCommand() *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "run [flags] (--rootfs DIR CMD [ARG...] | --bundle DIR [CMD [ARG...]])",
		Short: "Run a container",
		Long: `Run a container, in the foreground unless --detach is given: its stdout and stderr
become ours, signals are forwarded, and its exit code is ours. Flags end at the
first word of the command.

Exit codes: 125 if davit failed, 126 if the command cannot be executed, 127 if it
cannot be found, else the container's own. After a third SIGINT or SIGTERM davit
leaves the container running.`,
		Example: `  davit run --rootfs /srv/busybox echo hello
  davit run --rootfs /srv/busybox -d --name web -v ./www:/www:ro -m 64m httpd -f -h /www
  davit run --bundle ./bundle --runtime io.containerd.runc.v2 --rm`,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, err := flags.options(args)
			if err != nil {
				return err
			}
			if flags.detach {
				return a.detach(cmd.Context(), opts)
			}
			return a.attach(cmd.Context(), opts)
		},
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().SortFlags = false
	flags.register(cmd.Flags(), a.env)
	return cmd
}

// detach starts a container and prints its id.
func (a *app) detach(ctx context.Context, opts host.ContainerOptions) error {
	c, err := a.client().Create(ctx, opts)
	if err != nil {
		return runError(err)
	}
	fmt.Fprintln(a.stdout, c.ID)
	return nil
}

// attach runs a container in the foreground.
func (a *app) attach(ctx context.Context, opts host.ContainerOptions) error {
	client := a.client()
	f := newForwarder(ctx, a, client)
	end, err := client.Run(f.ctx, opts, f.started, a.output)
	id := f.close()
	if left, ok := errors.AsType[leftError](context.Cause(f.ctx)); ok {
		return &codeError{exitRunFailed, left.about(id)}
	}
	if err != nil {
		if id != "" {
			err = fmt.Errorf("%w; container %s runs on unless it has ended: see davit inspect %s", err, id, id)
		}
		return runError(err)
	}
	if end.Output == executor.Truncated {
		a.complain(fmt.Errorf("the output of container %s may be incomplete", id))
	}
	if end.Code == nil {
		return &codeError{exitRunFailed, fmt.Errorf("container %s was lost, so its exit code is not known: %s", id, end.Reason)}
	}
	a.explain(end, opts)
	if *end.Code != 0 {
		return &codeError{code: *end.Code}
	}
	return nil
}

// explain tells a person about an end that the code alone does not explain.
func (a *app) explain(end *host.End, opts host.ContainerOptions) {
	if end.OOM == nil || !*end.OOM || !isTerminal(a.stderr) {
		return
	}
	limit := ""
	if opts.Process.MemoryBytes > 0 {
		limit = fmt.Sprintf(" (limit %s)", units.BytesSize(float64(opts.Process.MemoryBytes)))
	}
	a.complain(fmt.Errorf("killed: out of memory%s", limit))
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// runError gives the exit code of a container that could not be run.
func runError(err error) error {
	code := exitRunFailed
	switch {
	case errors.Is(err, executor.CommandNotFound):
		code = exitNotFound
	case errors.Is(err, executor.CommandNotExecutable):
		code = exitNotExecutable
	}
	return &codeError{code, err}
}

var _ killer = (*api.Client)(nil)
