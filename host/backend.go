package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/cgroup"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/supervisor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// backendWait is how long a call waits for a backend that is starting.
const backendWait = 10 * time.Second

// BackendInfo is what people see of a backend.
type BackendInfo struct {
	supervisor.Info
	// Default says that containers which name no backend go here.
	Default bool `json:"default,omitempty"`
	// Containers counts those that have not ended.
	Containers int `json:"containers"`
}

// backend is a configured backend.
type backend struct {
	*supervisor.Backend
	config *config.Backend
	// journaled are the last state and process that there is an event of.
	journaled string
}

// startBackend begins to supervise a backend.
func (h *Host) startBackend(cfg *config.Backend) error {
	stateDir, runDir := h.config.BackendStateDir(cfg.Name), h.config.BackendRunDir(cfg.Name)
	for _, dir := range []string{filepath.Dir(stateDir), filepath.Dir(runDir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("backend %s: %w", cfg.Name, err)
		}
	}
	b := &backend{config: cfg}
	var err error
	var group *cgroup.Cgroup
	if h.config.Cgroup != config.CgroupOff {
		if group, err = cgroup.At(filepath.Join(h.config.Cgroup, "executor."+h.ID()+"."+cfg.Name)); err != nil {
			h.logger.Warn("the executor shares the host's cgroup", "backend", cfg.Name, "error", err)
		}
	}
	logger := h.logger.Named(cfg.Name)
	h.backends[cfg.Name] = b
	b.Backend = supervisor.Start(supervisor.Config{
		Name:   cfg.Name,
		RunDir: runDir,
		Find: func() (supervisor.Binary, error) {
			path, err := supervisor.Find(h.config.ExecutorDirs, cfg.Executor)
			return supervisor.Binary{Path: path, SHA256: cfg.SHA256}, err
		},
		Programs: h.programs,
		User:     func() (supervisor.User, error) { return h.makeRoom(b) },
		Cgroup:   group,
		LogLevel: logger.GetLevel().String(),
		Logger:   logger,
		Hello:    transport.Hello{Version: h.version, Epoch: h.store.Info().Epoch},
		Host:     reports{h, cfg.Name},
		Environment: func(ctx context.Context, client transport.Client, desc executor.Description) (executor.Environment, error) {
			settings, diags := decode(ctx, cfg, client, desc)
			if err := diags.Err(); err != nil {
				return executor.Environment{}, err
			}
			return executor.Environment{
				HostID: h.ID(), Backend: cfg.Name,
				StateDir: stateDir, RunDir: filepath.Join(runDir, supervisor.WorkDir),
				Settings: settings, Ephemeral: h.ephemeral,
			}, nil
		},
		Changed: func(info supervisor.Info) { h.journalBackend(b, info) },
		Ready:   func(ctx context.Context, s *supervisor.Session) error { return h.reconcile(ctx, cfg.Name, s) },
	})
	return nil
}

// journalBackend makes an event of a change of a backend's state. A backend that
// fails again and again has one event for it, and those of its tries are left out.
func (h *Host) journalBackend(b *backend, info supervisor.Info) {
	leaving := h.ctx.Err() != nil // we go, not the executor
	now := fmt.Sprint(info.State, info.PID)
	if info.State == supervisor.Starting || now == b.journaled || leaving {
		return
	}
	b.journaled = now
	data := map[string]string{"executor": b.config.Executor}
	switch info.State {
	case supervisor.Ready:
		data["pid"], data["version"] = strconv.Itoa(info.PID), info.Description.Version
	case supervisor.Waiting, supervisor.Failed:
		data["error"], data["failures"] = info.LastError, strconv.Itoa(info.Failures)
	}
	err := h.store.Update(context.WithoutCancel(h.ctx), func(tx *store.Tx) error {
		_, err := tx.Append(store.Event{Type: eventBackend + string(info.State), Backend: info.Name, Data: data})
		return err
	})
	if err != nil {
		h.logger.Error("the state of a backend was not journaled", "backend", info.Name, "state", string(info.State), "error", err)
	}
}

// decode checks the settings of a backend, by the schemas and by the executor.
func decode(ctx context.Context, cfg *config.Backend, client transport.Client, desc executor.Description) (executor.Settings, config.Diagnostics) {
	settings, diags := cfg.Decode(desc)
	if diags.HasErrors() {
		return settings, diags
	}
	found, err := client.Validate(ctx, settings)
	if err != nil {
		found = append(found, executor.Diagnostic{Severity: executor.SeverityError, Message: err.Error()})
	}
	return settings, append(diags, cfg.Resolve(found)...)
}

// pickBackend gives the backend with a name, or the default.
func (h *Host) pickBackend(name string) (string, *backend, error) {
	if name == "" {
		name = h.config.DefaultBackend
	}
	if name == "" {
		return "", nil, executor.Errorf(executor.Invalid, "no backend is named and the host has no default; the backends are: %s", h.backendNames())
	}
	b := h.backends[name]
	if b == nil {
		return "", nil, executor.Errorf(executor.NotFound, "no backend is named %q; the backends are: %s", name, h.backendNames())
	}
	return name, b, nil
}

func (h *Host) backendNames() string {
	names := make([]string, 0, len(h.backends))
	for name := range h.backends {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// session gives the session of a backend, for which it waits a while.
func (h *Host) session(ctx context.Context, name string) (*supervisor.Session, error) {
	b := h.backends[name]
	if b == nil {
		return nil, executor.Errorf(executor.Unavailable, "backend %s is no longer in the config", name)
	}
	ctx, cancel := context.WithTimeout(ctx, backendWait)
	defer cancel()
	return b.Session(ctx)
}

// runningByBackend counts the containers that have not ended.
func (h *Host) runningByBackend() (map[string]int, error) {
	running := map[string]int{}
	all, err := h.records()
	for _, c := range all {
		if !ended(c) {
			running[c.Backend]++
		}
	}
	return running, err
}

// Backends lists the backends, by name.
func (h *Host) Backends() ([]BackendInfo, error) {
	running, err := h.runningByBackend()
	if err != nil {
		return nil, err
	}
	infos := make([]BackendInfo, 0, len(h.backends))
	for name, b := range h.backends {
		infos = append(infos, BackendInfo{Info: b.Info(), Default: name == h.config.DefaultBackend, Containers: running[name]})
	}
	slices.SortFunc(infos, func(a, b BackendInfo) int { return strings.Compare(a.Name, b.Name) })
	return infos, nil
}

// WaitBackend waits until a backend is ready, and says why it is not when ctx
// ends or the backend has failed too often.
func (h *Host) WaitBackend(ctx context.Context, name string) error {
	_, b, err := h.pickBackend(name)
	if err != nil {
		return err
	}
	_, err = b.Session(ctx)
	return err
}

// RestartBackend replaces the executor of a backend by one of the program that is
// installed now. Containers run on and do not notice.
func (h *Host) RestartBackend(ctx context.Context, name string) error {
	_, b, err := h.pickBackend(name)
	if err != nil {
		return err
	}
	return b.Restart(ctx)
}

// Runtimes lists the runtimes of a backend, or of the default one.
func (h *Host) Runtimes(ctx context.Context, backend string) ([]executor.RuntimeInfo, error) {
	name, _, err := h.pickBackend(backend)
	if err != nil {
		return nil, err
	}
	session, err := h.session(ctx, name)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(session.Capabilities, executor.CapRuntimeList) {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return session.Runtimes(ctx)
}

// Check asks a backend what would keep workloads from running now. The findings
// carry their places in the config.
func (h *Host) Check(ctx context.Context, backend string) (config.Diagnostics, error) {
	name, b, err := h.pickBackend(backend)
	if err != nil {
		return nil, err
	}
	session, err := h.session(ctx, name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	found, err := session.Check(ctx)
	if errors.Is(err, executor.Unsupported) {
		return nil, nil
	}
	return b.config.Resolve(found), err
}
