package host

import (
	"context"
	"fmt"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// Validate checks a config without a running host and without its backends. Each
// executor is started for a moment, to ask it what settings it takes and
// whether it takes these.
func Validate(ctx context.Context, cfg config.Config) config.Diagnostics {
	cfg = cfg.WithDefaults()
	diags := cfg.Validate()
	for i := range cfg.Backends {
		b := &cfg.Backends[i]
		err := ask(ctx, cfg, b.Executor, b.SHA256, func(client transport.Client, reply transport.HelloReply) error {
			_, found := decode(ctx, b, client, reply.Description)
			diags = append(diags, found...)
			return nil
		})
		if err != nil {
			diags = append(diags, b.Resolve([]executor.Diagnostic{{
				Severity: executor.SeverityError, Path: []string{"executor"},
				Message: fmt.Sprintf("backend %q cannot be checked: %s", b.Name, err),
			}})...)
		}
	}
	return diags
}
