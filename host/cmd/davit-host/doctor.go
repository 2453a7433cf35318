package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/internal/cli"
	"github.com/davit-run/davit/host/internal/doctor"
	"github.com/spf13/cobra"
)

var _ = cli.Command(cli.Host, 25, doctorCommand)

func doctorCommand(a *cli.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor [flags]",
		Short: "Look for what keeps containers from running, and what to do",
		Long: `Look at this machine, the config, and the host if one runs, and say what keeps
containers from running, or would let them out, and what to do about it: kernel,
cgroups, runtimes and their known holes, backends, daemons, directories, disk,
limits, networks, clock, and what is left of hosts that are gone. It changes nothing.

Each line is ok, warn, fail, or unknown: what could not be looked at, because no host
runs or the user may not. The command fails, with exit code 1, if a line is fail.`,
		Example: "  davit doctor\n  davit doctor --config ./davit.hcl\n  davit doctor --quiet\n  davit doctor --format json",
		Args:    cli.AtMost(0),
	}
	path := configFlag(cmd)
	var quiet bool
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "leave out what is ok")
	form := cli.FormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, diags, name := loadConfig(cmd, *path)
		client := a.ClientOr(cmd, cfg.WithDefaults().API.Socket)
		defer client.Close()
		p := &doctor.Patient{
			Config: cfg.WithDefaults(), ConfigName: name, Problems: diags, Version: a.Build.Version, Client: client,
			Validate: func(ctx context.Context) diag.Diagnostics { return host.Validate(ctx, *cfg) },
			Live: func(ctx context.Context) (diag.Diagnostics, error) {
				return checkLive(ctx, client, cfg, func(b api.BackendInfo) bool { return b.State == api.BackendReady })
			},
		}
		found := doctor.Examine(cmd.Context(), p)
		var failed error
		if found.Count(doctor.Fail) > 0 {
			failed = &cli.ExitError{Code: cli.ExitFailed}
		}
		if *form == cli.AsJSON {
			if err := cli.PrintJSON(a.Stdout, append(doctor.Findings{}, found...)); err != nil {
				return err
			}
			return failed
		}
		if err := printFindings(a.Stdout, found, quiet); err != nil {
			return err
		}
		return failed
	}
	return cmd
}

// printFindings prints findings, wrapped to the width of the terminal, and a summary.
func printFindings(w io.Writer, found doctor.Findings, quiet bool) error {
	var b strings.Builder
	width, names := cli.HelpWidth(w), 0
	for _, f := range found {
		names = max(names, len(f.Check))
	}
	last := ""
	for _, f := range found {
		if quiet && f.Status == doctor.OK {
			continue
		}
		name := f.Check
		if name == last {
			name = ""
		}
		last = f.Check
		head := fmt.Sprintf("%-7s  %-*s  ", f.Status, names, name)
		indent := strings.Repeat(" ", len(head))
		b.WriteString(cli.Wrap(head, indent, width, f.Found))
		if f.Remedy != "" {
			b.WriteString(cli.Wrap(indent+"- ", indent+"  ", width, f.Remedy))
		}
	}
	count := func(s doctor.Status, one, more string) string {
		if n := found.Count(s); n != 1 {
			return fmt.Sprintf("%d %s", n, more)
		}
		return "1 " + one
	}
	fmt.Fprintf(&b, "%s%s, %s, %s, %s\n", map[bool]string{false: "\n"}[b.Len() == 0], count(doctor.OK, "ok", "ok"), count(doctor.Warn, "warning", "warnings"),
		count(doctor.Fail, "failure", "failures"), count(doctor.Unknown, "unknown", "unknown"))
	_, err := io.WriteString(w, b.String())
	return err
}
