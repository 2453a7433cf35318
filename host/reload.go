package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/containers"
	"github.com/davit-run/davit/shared/executor"
)

// reloadTimeout bounds how long a reload waits for backends to be ready. It does not bound
// their start.
const reloadTimeout = 90 * time.Second

// Reload puts another config into force, under running containers. It touches the backends
// whose config is another: those that are added are started, and the executors of those with
// other settings are started again, as RestartBackend does it. Those that are removed are
// left as by a Close, and their containers run on. Limits and defaults are those of what is
// made or started from then on. The result says what was done, and what of the config is not
// applied because it takes a new Host: directories, the cgroup, and whether there are
// networks. API and Log are the program's, as with Open.
//
// A config that is not valid changes nothing, and neither does one that an executor does not
// accept, or that takes something away from containers that run. The error says why. If ctx
// ends after that was checked, Reload completes what it has begun.
//
// One reload is made after the other.
func (h *Host) Reload(ctx context.Context, cfg config.Config) (api.Reload, error) {
	select {
	case h.reloading <- struct{}{}:
		defer func() { <-h.reloading }()
	case <-ctx.Done():
		return api.Reload{}, ctx.Err()
	}
	checking, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(h.life, stop)() // Close waits for this
	now := h.backends.Config()
	cfg, changes, err := settle(now, cfg)
	if err != nil {
		return api.Reload{}, err
	}
	plan := h.backends.Plan(cfg)
	busy, err := h.containers.Running()
	if err != nil {
		return api.Reload{}, err
	}
	everywhere := !slices.Equal(now.ExecutorDirs, cfg.ExecutorDirs)
	warnings, err := h.checkPlan(checking, cfg, plan, busy, everywhere)
	if h.life.Err() != nil {
		return api.Reload{}, errClosed()
	}
	if err != nil {
		return api.Reload{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reloadTimeout)
	defer cancel()
	defer context.AfterFunc(h.life, cancel)()
	failed, err := h.backends.Apply(ctx, cfg, plan, busy)
	if err != nil {
		return api.Reload{}, err
	}
	h.containers.SetLimits(containers.LimitsOf(cfg))
	pool, _ := cfg.Network.Subnets() // was validated
	h.networks.SetNew(pool, cfg.Network.IPv6)
	report := api.Reload{Changes: changes, Warnings: warnings}
	for _, c := range plan {
		report.Changes = append(report.Changes, describeChange(c, busy[c.Name], failed[c.Name]))
	}
	return report, nil
}

// ReloadConfig does what Options.Reload says, for clients that ask for it.
func (h *Host) ReloadConfig(ctx context.Context) (api.Reload, error) {
	if h.reload == nil {
		return api.Reload{}, executor.Errorf(executor.Unsupported, "the program that has this host did not read its config from a file that could be read again")
	}
	return h.reload(ctx)
}

func errClosed() error { return executor.Errorf(executor.Unavailable, "the host is closed") }

// checkPlan checks what a plan changes. The error has all that is wrong, as Validate has it.
func (h *Host) checkPlan(ctx context.Context, cfg config.Config, plan []backends.Change, busy map[string]int, everywhere bool) (warnings diag.Diagnostics, err error) {
	var diags diag.Diagnostics
	ask := map[string]bool{}
	for _, c := range plan {
		if err := h.backends.CheckRemoval(c, busy[c.Name]); err != nil {
			at := cfg.At()
			if c.After != nil {
				at = c.After.At("executor")
			}
			diags.Fail(at, "", "%s", err)
		}
		ask[c.Name] = c.Before == nil || c.Restart
	}
	for i := range cfg.Backends {
		b := &cfg.Backends[i]
		asked, changed := ask[b.Name]
		if changed {
			diags = append(diags, validateDefaults(b)...)
		}
		if !asked && !everywhere {
			continue
		}
		if err := backends.CheckUser(b); err != nil {
			diags.Fail(b.At("user"), "", "%s", err)
		}
		diags = append(diags, validateBackend(ctx, cfg, b)...)
	}
	if err := ctx.Err(); err != nil {
		return nil, err // else an executor that was not asked to the end would be blamed
	}
	if err := diags.Err(); err != nil {
		return nil, err
	}
	return diags, nil
}

// describeChange says what has become of a backend.
func describeChange(c backends.Change, busy int, err error) api.ReloadChange {
	change := api.ReloadChange{What: "backend " + c.Name, Action: api.ReloadChanged, Detail: c.Difference.String()}
	switch {
	case c.Before == nil:
		change.Action = api.ReloadAdded
	case c.After == nil:
		change.Action = api.ReloadRemoved
		if busy > 0 {
			change.Detail = count(busy, "container") + " of it left running"
		}
	case c.Restart:
		change.Action = api.ReloadRestarted
		if change.Detail == "" {
			change.Detail = "which the last reload could not do"
		}
	}
	if c.After != nil {
		change.Place = c.After.At()
	}
	if err != nil {
		change.Problem = err.Error()
	}
	return change
}

// settle returns the config with what can be changed of it, and the changes that are not of
// backends.
func settle(now, cfg config.Config) (config.Config, []api.ReloadChange, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate().Err(); err != nil {
		return cfg, nil, err
	}
	changes := []api.ReloadChange{}
	for _, s := range settings {
		before, after := s.text(&now), s.text(&cfg)
		if before == after {
			continue
		}
		change := api.ReloadChange{
			What: s.name(), Action: api.ReloadChanged, Place: cfg.At(s.path...),
			Detail: fmt.Sprintf("%s to %s%s", before, after, s.note),
		}
		if s.keep != nil {
			change.Action = api.ReloadLater
			s.keep(&cfg, &now)
		}
		changes = append(changes, change)
	}
	// What was kept may not go together with the rest.
	if err := cfg.Validate().Err(); err != nil {
		return cfg, nil, errors.Join(errors.New("the config is valid only after a restart of the host"), err)
	}
	return cfg, changes, nil
}
