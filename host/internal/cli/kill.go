package cli

import (
	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 70, (*App).killCommand)

func (a *App) killCommand() *cobra.Command {
	var name, exec string
	cmd := &cobra.Command{
		Use:     "kill [flags] CONTAINER...",
		Short:   "Send a signal to containers",
		Example: "  davit kill web\n  davit kill -s HUP web\n  davit kill --exec 4f2a web",
		Args:    some,
	}
	cmd.Flags().StringVarP(&name, "signal", "s", "KILL", "name or number of the `SIGNAL`")
	a.execFlag(cmd, &exec, "send it to exec `ID` of the container instead, or to the one whose id begins so")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		sig, err := api.ParseSignal(name)
		if err != nil {
			return err
		}
		if exec != "" {
			if err := execOf(args); err != nil {
				return err
			}
			return a.killExec(cmd.Context(), args[0], exec, sig)
		}
		client := a.Client()
		return a.together(args, func(ref string) error { return client.Kill(cmd.Context(), ref, sig) })
	}
	return cmd
}
