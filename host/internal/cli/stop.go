package cli

import (
	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var _ = Command(Containers, 60, (*App).stopCommand)

func (a *App) stopCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stop [flags] CONTAINER...",
		Short: "Stop containers: ask them to end, then kill them",
		Long: `Stop containers: send the container's stop signal, TERM unless it was made with
another, and kill it when the timeout is over. Returns once they have ended.`,
		Example: "  davit stop web\n  davit stop -t 1m db queue\n  davit stop -s INT worker",
		Args:    some,
	}
	var flags stopFlags
	flags.register(cmd.Flags())
	a.patienceFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client := a.Client()
		return a.together(args, func(ref string) error { return client.StopWith(cmd.Context(), ref, flags.options()) })
	}
	return cmd
}

// stopFlags are the flags of commands that stop containers.
type stopFlags struct {
	timeout Seconds
	opts    api.StopOptions
}

func (f *stopFlags) register(fs *pflag.FlagSet) {
	fs.FuncP("signal", "s", "`SIGNAL` to send at first (default: the container's own)", func(s string) (err error) {
		f.opts.Signal, err = api.ParseSignal(s)
		return err
	})
	fs.VarP(&f.timeout, "timeout", "t", "how long to wait before killing, a `DURATION` or seconds; -1 is for ever (default: the container's own)")
	fs.Var(&f.timeout, "time", "the same as --timeout, as older dockers have it")
	_ = fs.MarkHidden("time") // it is there
}

func (f *stopFlags) options() api.StopOptions {
	opts := f.opts
	opts.Timeout = f.timeout.Duration
	return opts
}
