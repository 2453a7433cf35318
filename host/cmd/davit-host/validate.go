package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/internal/cli"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/cobra"
)

var _ = cli.Command(cli.Host, 20, validateCommand)

func validateCommand(a *cli.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate [flags]",
		Short: "Check a config",
		Long: `Check a config. Each executor is asked which settings it knows and whether it accepts
these; neither a host nor the backends need to run. With --live, the running host's
backends are also asked what would keep containers from running now, the firewall of this
machine what would keep them from reaching each other, and plugins of networks whether they
are there.`,
		Example: "  davit validate\n  davit validate --config ./davit.hcl\n  davit validate --live",
		Args:    cli.AtMost(0),
	}
	path := configFlag(cmd)
	live := cmd.Flags().Bool("live", false, "also ask the backends of the running host, and look at the firewall and at plugins of networks")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, diags, name := loadConfig(cmd, *path)
		if !diags.HasErrors() {
			for _, d := range host.Validate(cmd.Context(), *cfg) {
				if !slices.Contains(diags, d) { // Load has found what needs no executor
					diags = append(diags, d)
				}
			}
		}
		if *live {
			found, err := checkLive(cmd.Context(), a.Client(), cfg, func(api.BackendInfo) bool { return true })
			for _, d := range found {
				said := func(o diag.Diagnostic) bool { return o.String() == d.String() }
				if !slices.ContainsFunc(diags, said) { // the host has read the same files
					diags = append(diags, d)
				}
			}
			if err != nil {
				return errors.Join(diags.WriteText(a.Stderr), err)
			}
		}
		if err := diags.WriteText(a.Stderr); err != nil {
			return err
		}
		if err := refusal(name, diags); err != nil {
			return err
		}
		fmt.Fprintf(a.Stdout, "%s is valid: %s\n", name, backendCount(cfg))
		return nil
	}
	return cmd
}

// refusal returns the error for a config whose findings have been printed.
func refusal(path string, diags diag.Diagnostics) error {
	if diags.HasErrors() {
		return fmt.Errorf("%s is not valid", path)
	}
	return nil
}

func backendCount(cfg *config.Config) string {
	if len(cfg.Backends) == 1 {
		return "1 backend"
	}
	return fmt.Sprintf("%d backends", len(cfg.Backends))
}

// checkLive asks the running host's backends, or only those that asked accepts.
func checkLive(ctx context.Context, client *api.Client, cfg *config.Config, asked func(api.BackendInfo) bool) (diag.Diagnostics, error) {
	backends, err := client.Backends(ctx)
	if err != nil {
		return nil, err
	}
	diags, err := client.CheckNetworks(ctx)
	if err != nil {
		return nil, err
	}
	fail := func(backend string, err error) {
		diags = append(diags, diag.Diagnostic{Severity: executor.SeverityError, Message: fmt.Sprintf("backend %q: %s", backend, err)})
	}
	for _, b := range backends {
		if !asked(b) {
			continue
		}
		found, err := client.Check(ctx, b.Name)
		if err != nil {
			fail(b.Name, err)
			continue
		}
		runtimes, err := client.Runtimes(ctx, b.Name)
		if err != nil {
			fail(b.Name, err)
		}
		diags = append(diags, found...)
		diags = append(diags, unusable(b.Name, configured(cfg, b.Name), runtimes, found)...)
	}
	return diags, nil
}

// configured returns the names of a backend's runtimes in a config.
func configured(cfg *config.Config, backend string) (names []string) {
	for _, b := range cfg.Backends {
		if b.Name == backend {
			for _, r := range b.Runtimes {
				names = append(names, r.Name)
			}
		}
	}
	return names
}

// unusable returns the runtimes that cannot be used and that somebody may want to: the
// configured ones and the default. An executor may offer others, of which many are on no
// machine. What is among the findings already is not said again.
func unusable(backend string, configured []string, runtimes []executor.RuntimeInfo, found diag.Diagnostics) (diags diag.Diagnostics) {
	for _, r := range runtimes {
		known := slices.ContainsFunc(found, func(d diag.Diagnostic) bool { return strings.Contains(d.Message, r.Problem) })
		if r.Problem == "" || known || !r.Default && !slices.Contains(configured, r.Name) {
			continue
		}
		diags = append(diags, diag.Diagnostic{
			Severity: executor.SeverityError, Message: fmt.Sprintf("backend %q: runtime %q cannot be used: %s", backend, r.Name, r.Problem),
		})
	}
	return diags
}
