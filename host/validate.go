package host

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/containers"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// Validate checks a config without a running host and without opening its backends. It
// starts each executor for a moment, to ask which settings the executor knows and
// whether it accepts these. Lists of plugins of networks are read, and no plugin is run.
func Validate(ctx context.Context, cfg config.Config) diag.Diagnostics {
	cfg = cfg.WithDefaults()
	diags := cfg.Validate()
	diags = append(diags, validateTLS(cfg)...)
	for i := range cfg.Backends {
		diags = append(diags, validateDefaults(&cfg.Backends[i])...)
		diags = append(diags, validateBackend(ctx, cfg, &cfg.Backends[i])...)
	}
	for _, n := range pluginNetworks(cfg) {
		diags = append(diags, n.Findings()...)
	}
	return append(diags, removedBackends(cfg)...)
}

// validateDefaults checks what a backend's containers have by default.
func validateDefaults(b *config.Backend) diag.Diagnostics {
	err := containers.CheckDefaults(b.Defaults)
	if err == nil {
		return nil
	}
	return b.Resolve([]executor.Diagnostic{{
		Severity: executor.SeverityError, Path: []string{"defaults"},
		Message: fmt.Sprintf("defaults of backend %q: %s", b.Name, err),
	}})
}

// validateBackend asks the executor of a backend whether it accepts the settings.
func validateBackend(ctx context.Context, cfg config.Config, b *config.Backend) (diags diag.Diagnostics) {
	err := askProgram(ctx, cfg, b.Executor, b.SHA256, func(client transport.Client, reply transport.HelloReply) error {
		_, diags = backends.Decode(ctx, b, client, reply.Description)
		return nil
	})
	if err == nil {
		return diags
	}
	return append(diags, b.Resolve([]executor.Diagnostic{{
		Severity: executor.SeverityError, Path: []string{"executor"},
		Message: fmt.Sprintf("backend %q cannot be checked: %s", b.Name, err),
	}})...)
}

// removedBackends warns of backends that are not in the config and have containers.
func removedBackends(cfg config.Config) (diags diag.Diagnostics) {
	found := containers.BackendsIn(cfg.StateDir)
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if slices.ContainsFunc(cfg.Backends, func(b config.Backend) bool { return b.Name == name }) {
			continue
		}
		diags = append(diags, diag.Diagnostic{
			Severity: executor.SeverityWarning,
			Message:  fmt.Sprintf("backend %q is not in the config, and has %s in %s", name, count(found[name], "container"), cfg.StateDir),
			Hint:     "without it nobody looks after what runs there; put it back, or remove its containers first",
		})
	}
	return diags
}

// count returns a number of things.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
