package cli

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Host, 30, (*App).backendsCommand)

func (a *App) backendsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backends [flags]",
		Short: "List backends and the state of their executors",
		Long: `List backends and the state of their executors: since when it lasts, how often the
executor was replaced since the host came up, why it failed last, and when it is tried
next. With --check the command fails if a backend is not ready.`,
		Example: "  davit backends\n  davit backends --format json\n  davit backends --check >/dev/null || alert",
		Args:    AtMost(0),
	}
	var full, check bool
	cmd.Flags().BoolVar(&check, "check", false, "fail, with exit code 1, if a backend is not ready")
	cmd.Flags().BoolVar(&full, "no-trunc", false, "show capabilities, and do not shorten messages")
	form := listFormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		backends, err := a.Client().Backends(cmd.Context())
		if err != nil {
			return err
		}
		var failed error
		for _, b := range backends {
			if check && b.State != api.BackendReady && b.State != api.BackendStopped {
				failed = &ExitError{Code: ExitFailed}
			}
		}
		if *form == AsJSON {
			return errors.Join(PrintJSON(a.Stdout, backends), failed)
		}
		rows, now := make([][]string, len(backends)), time.Now()
		for i, b := range backends {
			name, problem := b.Name, b.LastError
			if b.Default {
				name += " (default)"
			}
			if problem != "" && !b.LastErrorAt.IsZero() {
				problem = ago(b.LastErrorAt, now) + ": " + problem
			}
			if !full {
				problem = shorten(problem, 240)
			}
			capabilities := make([]string, len(b.Capabilities))
			for i, c := range b.Capabilities {
				capabilities[i] = string(c)
			}
			rows[i] = []string{
				name, b.Description.Name, stateOf(b, now), Number(b.PID), b.Description.Version,
				strconv.Itoa(b.Containers), strconv.Itoa(max(0, b.Starts+b.Attaches-1)), problem,
			}
			if full {
				rows[i] = slices.Insert(rows[i], len(rows[i])-1, strings.Join(capabilities, ","))
			}
		}
		header := []string{"NAME", "EXECUTOR", "STATE", "PID", "VERSION", "CONTAINERS", "RESTARTS", "LAST ERROR"}
		if full {
			header = slices.Insert(header, len(header)-1, "CAPABILITIES")
		}
		err = listing{header: header, rows: rows, items: backends, dispensable: []string{"VERSION", "PID", "RESTARTS"}, more: func(i int) fields {
			return fields{"Name": backends[i].Name} // without what is added to it for people
		}}.print(a.Stdout, *form)
		return errors.Join(err, failed)
	}
	return cmd
}

// stateOf describes the state of a backend: since when it lasts, and when it is tried
// next.
func stateOf(b api.BackendInfo, now time.Time) string {
	s := string(b.State)
	if !b.Since.IsZero() {
		s += " " + since(b.Since, now)
	}
	if !b.NextTry.IsZero() {
		s += ", next try " + in(b.NextTry, now)
	}
	return s
}
