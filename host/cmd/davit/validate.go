package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/cobra"
)

func (a *app) validateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate [flags]",
		Short: "Check a config",
		Long: `Check a config. Each executor is asked what settings it takes and whether it takes
these; neither a host nor the backends need to run. With --live, the running
host's backends are also asked what would keep containers from running now.`,
		Example: "  davit validate\n  davit validate --config ./davit.hcl\n  davit validate --live",
		Args:    atMost(0),
	}
	path := configFlag(cmd)
	live := cmd.Flags().Bool("live", false, "also ask the backends of the running host")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, diags, name := loadConfig(cmd, *path)
		if !diags.HasErrors() {
			for _, d := range host.Validate(cmd.Context(), *cfg) {
				if !slices.Contains(diags, d) { // Load has told already what needs no executor
					diags = append(diags, d)
				}
			}
		}
		if *live {
			found, err := a.checkLive(cmd.Context())
			diags = append(diags, found...)
			if err != nil {
				return errors.Join(diags.WriteText(a.stderr), err)
			}
		}
		if err := diags.WriteText(a.stderr); err != nil {
			return err
		}
		if err := refusal(name, diags); err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "%s is valid: %s\n", name, backendCount(cfg))
		return nil
	}
	return cmd
}

// refusal gives the error of a config whose findings have been printed.
func refusal(path string, diags config.Diagnostics) error {
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

// checkLive asks the running host's backends.
func (a *app) checkLive(ctx context.Context) (config.Diagnostics, error) {
	client := a.client()
	backends, err := client.Backends(ctx)
	if err != nil {
		return nil, err
	}
	var diags config.Diagnostics
	add := func(severity executor.Severity, format string, args ...any) {
		diags = append(diags, config.Diagnostic{Severity: severity, Message: fmt.Sprintf(format, args...)})
	}
	for _, b := range backends {
		found, err := client.Check(ctx, b.Name)
		if err != nil {
			add(executor.SeverityError, "backend %q: %s", b.Name, err)
			continue
		}
		diags = append(diags, found...)
		runtimes, err := client.Runtimes(ctx, b.Name)
		if err != nil {
			add(executor.SeverityError, "backend %q: %s", b.Name, err)
		}
		for _, r := range runtimes {
			if r.Problem == "" {
				continue
			}
			severity := executor.SeverityWarning
			if r.Default {
				severity = executor.SeverityError
			}
			add(severity, "backend %q: runtime %q cannot be used: %s", b.Name, r.Name, r.Problem)
		}
	}
	return diags, nil
}
