package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 80, (*App).waitCommand)

func (a *App) waitCommand() *cobra.Command {
	var condition waitCondition
	exec := ""
	cmd := &cobra.Command{
		Use:   "wait [flags] CONTAINER...",
		Short: "Wait until containers have ended and print their exit codes",
		Long: `Wait until containers have ended and print their exit codes. That of one that has ended
is printed at once, and one that was not started yet is waited for. A wait for healthy
prints nothing; it fails if a container has no health check, or has ended.`,
		Example: "  davit wait web\n  code=$(davit wait web)\n  davit wait --condition removed web\n  davit wait --condition healthy web\n  davit wait --exec 4f2a web",
		Args:    some,
		RunE: func(cmd *cobra.Command, args []string) error {
			if exec != "" {
				if err := execOf(args); err != nil {
					return err
				}
				return a.waitExec(cmd.Context(), args[0], exec)
			}
			client := a.Client()
			return a.each(args, func(ref string) error {
				end, err := a.wait(cmd.Context(), client, ref, api.WaitCondition(condition))
				switch {
				case err != nil || condition == waitCondition(api.WaitHealthy):
					return err
				case end == nil:
					return fmt.Errorf("container %s is removed, and its exit code is not known", ref)
				}
				code, known := end.ExitCode()
				if !known {
					return fmt.Errorf("container %s was lost, so its exit code is not known: %s", ref, end.Reason)
				}
				fmt.Fprintln(a.Stdout, code)
				return nil
			})
		},
	}
	cmd.Flags().Var(&condition, "condition", "wait for `CONDITION`: not-running, next-exit (of now, or of the next start), removed or healthy")
	a.execFlag(cmd, &exec, "wait for exec `ID` of the container instead, or for the one whose id begins so")
	cmd.MarkFlagsMutuallyExclusive("exec", "condition")
	a.patienceFlag(cmd)
	return cmd
}

// wait waits for a container, until it has ended unless there is another condition.
func (a *App) wait(ctx context.Context, client *api.Client, ref string, condition api.WaitCondition) (*api.End, error) {
	defer a.explainWait(ctx, ref, 0)()
	if condition != "" {
		return client.WaitFor(ctx, ref, condition)
	}
	return client.Wait(ctx, ref)
}

// waitCondition is a flag.
type waitCondition api.WaitCondition

func (c *waitCondition) String() string { return string(*c) }
func (c *waitCondition) Type() string   { return "condition" }

// Set implements pflag.Value.
func (c *waitCondition) Set(s string) error {
	if !slices.Contains(api.WaitConditions(), api.WaitCondition(s)) {
		return fmt.Errorf("use one of %v", api.WaitConditions())
	}
	*c = waitCondition(s)
	return nil
}
