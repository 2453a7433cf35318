package backends

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/internal/cgroup"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/supervisor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
)

// Options are what a Set needs besides the config.
type Options struct {
	HostID    string
	Hello     transport.Hello
	Logger    hclog.Logger
	Ephemeral bool
	// Reports returns the receiver of a backend's reports.
	Reports func(backend string) executor.Host
	// Ready prepares a new session before anybody else uses it.
	Ready func(ctx context.Context, session *Session) error
	// Journal appends an event to the journal.
	Journal func(ctx context.Context, e store.Event) error
	// Observer is told of calls; nil means nobody.
	Observer Observer
}

// Set is the set of a host's backends. It is safe for concurrent use.
type Set struct {
	config   config.Config
	opts     Options
	programs *supervisor.Programs
	byName   map[string]*Backend
	closing  atomic.Bool
}

// Backend is a configured backend.
type Backend struct {
	*supervisor.Backend
	Config *config.Backend

	// journaled is the last state and process for which there is an event.
	journaled string
}

// New returns the backends of cfg, which are not supervised yet.
func New(cfg config.Config, opts Options) *Set {
	if opts.Observer == nil {
		opts.Observer = unobserved{}
	}
	s := &Set{config: cfg, opts: opts, byName: map[string]*Backend{}}
	for i := range cfg.Backends {
		b := &cfg.Backends[i]
		s.byName[b.Name] = &Backend{Config: b}
	}
	return s
}

// Start begins to supervise all backends. It returns before they are ready.
func (s *Set) Start() error {
	var err error
	if s.programs, err = supervisor.OpenPrograms(filepath.Join(s.config.StateDir, "executors")); err != nil {
		return fmt.Errorf("directory of the executors' programs: %w", err)
	}
	// Make all before starting one: its sessions may ask for another.
	for name, b := range s.byName {
		for _, dir := range []string{filepath.Dir(s.stateDir(b.Config)), filepath.Dir(s.runDir(b.Config))} {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return fmt.Errorf("backend %s: %w", name, err)
			}
		}
		b.Backend = supervisor.New(s.supervise(b))
	}
	for _, b := range s.byName {
		b.Backend.Start()
	}
	return nil
}

func (s *Set) stateDir(cfg *config.Backend) string { return s.config.BackendStateDir(cfg.Name) }
func (s *Set) runDir(cfg *config.Backend) string   { return s.config.BackendRunDir(cfg.Name) }

// supervise returns the supervisor's config for a backend.
func (s *Set) supervise(b *Backend) supervisor.Config {
	cfg, logger := b.Config, s.opts.Logger.Named(b.Config.Name)
	return supervisor.Config{
		Name:   cfg.Name,
		RunDir: s.runDir(cfg),
		Find: func() (supervisor.Binary, error) {
			path, err := supervisor.Find(s.config.ExecutorDirs, cfg.Executor)
			return supervisor.Binary{Path: path, SHA256: cfg.SHA256}, err
		},
		Programs: s.programs,
		User:     func() (supervisor.User, error) { return s.makeStateDir(b) },
		Cgroup:   s.cgroup(cfg),
		LogLevel: logger.GetLevel().String(),
		Logger:   logger,
		Hello:    s.opts.Hello,
		Host:     s.opts.Reports(cfg.Name),
		Environment: func(ctx context.Context, client transport.Client, desc executor.Description) (executor.Environment, error) {
			return s.environment(ctx, cfg, client, desc)
		},
		Changed: func(info supervisor.Info) { s.journal(b, info) },
		Ready: func(ctx context.Context, session *supervisor.Session) error {
			return s.opts.Ready(ctx, s.session(cfg.Name, session))
		},
	}
}

// cgroup returns the cgroup of a backend's executor, nil if it shares the host's.
func (s *Set) cgroup(cfg *config.Backend) *cgroup.Cgroup {
	if s.config.Cgroup == config.CgroupOff {
		return nil
	}
	name := executor.Environment{HostID: s.opts.HostID, Backend: cfg.Name}.CgroupName()
	group, err := cgroup.At(filepath.Join(s.config.Cgroup, name))
	if err != nil {
		s.opts.Logger.Warn("the executor shares the host's cgroup", "backend", cfg.Name, "error", err)
		return nil
	}
	return group
}

func (s *Set) environment(ctx context.Context, cfg *config.Backend, client transport.Client, desc executor.Description) (executor.Environment, error) {
	settings, diags := Decode(ctx, cfg, client, desc)
	if err := diags.Err(); err != nil {
		return executor.Environment{}, err
	}
	return executor.Environment{
		HostID: s.opts.HostID, Backend: cfg.Name,
		StateDir: s.stateDir(cfg), RunDir: filepath.Join(s.runDir(cfg), supervisor.WorkDir),
		Settings: settings, Ephemeral: s.opts.Ephemeral,
	}, nil
}

// Decode checks the settings of a backend against the schemas, and then with the
// executor.
func Decode(ctx context.Context, cfg *config.Backend, client transport.Client, desc executor.Description) (executor.Settings, diag.Diagnostics) {
	settings, diags := cfg.Decode(desc)
	if diags.HasErrors() {
		return settings, diags
	}
	found, err := transport.MethodValidate.Call(ctx, client, settings)
	if err != nil {
		found = append(found, executor.Diagnostic{Severity: executor.SeverityError, Message: err.Error()})
	}
	return settings, append(diags, cfg.Resolve(found)...)
}

// All returns the backends, by name.
func (s *Set) All() map[string]*Backend { return maps.Clone(s.byName) }

// Has reports whether a backend is in the config.
func (s *Set) Has(name string) bool { return s.byName[name] != nil }

// Ready reports whether a backend is ready.
func (s *Set) Ready(name string) bool {
	b := s.byName[name]
	return b != nil && b.Info().State == supervisor.Ready
}

// Default returns the name of the default backend, "" if there is none.
func (s *Set) Default() string { return s.config.DefaultBackend }

// Pick returns the backend with a name; "" means the default. The error lists the
// backends that there are.
func (s *Set) Pick(name string) (*Backend, error) {
	if name == "" {
		name = s.config.DefaultBackend
	}
	if name == "" {
		return nil, executor.Errorf(executor.Invalid, "no backend is named and the host has no default; the backends are: %s", s.names())
	}
	b := s.byName[name]
	if b == nil {
		return nil, executor.Errorf(executor.NotFound, "no backend is named %q; the backends are: %s", name, s.names())
	}
	return b, nil
}

func (s *Set) names() string {
	return strings.Join(slices.Sorted(maps.Keys(s.byName)), ", ")
}

// Close stops supervising. Executors and workloads run on.
func (s *Set) Close() {
	s.closing.Store(true)
	for _, b := range s.byName {
		if b.Backend != nil {
			b.Close()
		}
	}
}
