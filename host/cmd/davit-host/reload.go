package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/access"
	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/diag"
	"github.com/hashicorp/go-hclog"
)

// reloader reads the config of a host again, and applies it.
type reloader struct {
	// load reads the config, from what name says.
	load     func() (*config.Config, diag.Diagnostics)
	name     string
	logger   hclog.Logger
	listener net.Listener
	remote   *remote
	guard    *access.Guard
	service  *service

	mu     sync.Mutex
	host   *host.Host
	config config.Config // in force, as far as it is the program's
}

// reloadOn reloads at each signal, until ctx ends.
func reloadOn(ctx context.Context, signals <-chan os.Signal, r *reloader) {
	for {
		select {
		case <-signals:
			_, _ = r.reload(ctx) // which logs
		case <-ctx.Done():
			return
		}
	}
}

// reload applies what has changed in the config. It logs what it did. One that is not valid
// changes nothing.
func (r *reloader) reload(ctx context.Context) (api.Reload, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.service.reloading()
	defer r.service.ready()
	report, err := r.apply(ctx)
	if err != nil {
		r.logger.Error("the config was not reloaded, and nothing has changed", "config", r.name, "error", strings.ReplaceAll(err.Error(), "\n", "; "))
		return report, err
	}
	for _, d := range report.Warnings {
		r.logger.Warn("the config can be used, but", "finding", d.String())
	}
	for _, c := range report.Changes {
		log := r.logger.Info
		if c.Problem != "" || c.Action == api.ReloadLater {
			log = r.logger.Warn
		}
		log("reload of the config", "change", c.String())
	}
	r.logger.Info("the config was reloaded", "config", r.name, "changes", len(report.Changes))
	return report, nil
}

func (r *reloader) apply(ctx context.Context) (api.Reload, error) {
	loaded, diags := r.load()
	if err := diags.Err(); err != nil {
		return api.Reload{}, err
	}
	next := loaded.WithDefaults()
	if err := api.CheckGroup(next.API.Group); err != nil {
		diags.Fail(next.At("api", "group"), "", "%s", err)
		return api.Reload{}, diags.Err()
	}
	if t := next.API.TLS; t != nil {
		if _, err := tlsFiles(t).CheckHost(); err != nil {
			diags.Fail(next.At("api", "tls"), "", "api.tls: %s", err)
			return api.Reload{}, diags.Err()
		}
	}
	report, err := r.host.Reload(ctx, *loaded)
	if err != nil {
		return report, err
	}
	report.Warnings = append(diags, report.Warnings...)
	report.Changes = append(report.Changes, r.applyOwn(next)...)
	return report, nil
}

// applyOwn applies what is not the host's: the log and the API.
func (r *reloader) applyOwn(next config.Config) (changes []api.ReloadChange) {
	now := &r.config
	changes = append(changes, r.applyRules(next)...)
	note := func(before, after string, action api.ReloadAction, note string, path ...string) *api.ReloadChange {
		if before == after {
			return nil
		}
		changes = append(changes, api.ReloadChange{
			What: strings.Join(path, "."), Action: action, Place: next.At(path...),
			Detail: fmt.Sprintf("%s to %s%s", orNone(before), orNone(after), note),
		})
		return &changes[len(changes)-1]
	}
	if note(now.Log.Level, next.Log.Level, api.ReloadChanged, ", for executors when they are started next", "log", "level") != nil {
		r.logger.SetLevel(hclog.LevelFromString(next.Log.Level))
		now.Log.Level = next.Log.Level
	}
	note(now.Log.Format, next.Log.Format, api.ReloadLater, "", "log", "format")
	note(now.API.Socket, next.API.Socket, api.ReloadLater, "", "api", "socket")
	if c := note(now.API.Group, next.API.Group, api.ReloadChanged, "", "api", "group"); c != nil {
		if err := api.Regroup(r.listener, next.API.Group); err != nil {
			c.Problem = err.Error()
		} else {
			now.API.Group = next.API.Group
		}
	}
	for _, c := range r.remote.reload(now.API.TLS, next.API.TLS) {
		c.Place = next.At("api", "tls")
		changes = append(changes, c)
	}
	return changes
}

// applyRules applies the access rules.
func (r *reloader) applyRules(next config.Config) (changes []api.ReloadChange) {
	now := &r.config
	r.guard.Set(next) // also if only the backends have changed
	if now.API.Rules != next.API.Rules {
		changes = append(changes, api.ReloadChange{
			What: "api.rules", Action: api.ReloadChanged, Place: next.At("api", "rules"),
			Detail: fmt.Sprintf("%t to %t, for requests from now on", now.API.Rules, next.API.Rules),
		})
	}
	changes = append(changes, access.Compare(now.Rules, next.Rules)...)
	now.API.Rules, now.Rules = next.API.Rules, next.Rules
	return changes
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
