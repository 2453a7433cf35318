package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

var _ = Command(Containers, 32, (*App).topCommand)

func (a *App) topCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "top [flags] CONTAINER",
		Short:   "List the processes of a container",
		Example: "  davit top web",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("give one container; usage: %s", cmd.UseLine())
			}
			return nil
		},
	}
	form := listFormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		list, err := a.Client().Processes(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *form == AsJSON {
			return PrintJSON(a.Stdout, list)
		}
		rows := make([][]string, len(list))
		for i, p := range list {
			command := commandLine(p.Command)
			if command == "" {
				command = "[" + p.Name + "]"
			}
			rows[i] = []string{
				strconv.Itoa(p.PID), strconv.Itoa(p.Parent), strconv.FormatUint(uint64(p.UID), 10), p.State,
				strconv.FormatUint(p.Threads, 10), p.CPU.Round(10 * time.Millisecond).String(), command,
			}
		}
		return listing{header: []string{"PID", "PPID", "UID", "STATE", "THREADS", "CPU", "COMMAND"}, rows: rows, items: list}.print(a.Stdout, *form)
	}
	return cmd
}
