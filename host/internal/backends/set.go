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
	opts     Options
	programs *supervisor.Programs
	current  atomic.Pointer[configured]
	closing  atomic.Bool
}

// configured is what a config says. It is not changed: Reload replaces it.
type configured struct {
	config config.Config
	byName map[string]*Backend
}

// Backend is a configured backend.
type Backend struct {
	*supervisor.Backend

	config atomic.Pointer[config.Backend]
	// journaled is the last state and process for which there is an event.
	journaled string
	// leaving means that it is no longer in the config: the host leaves its executor, which
	// has not ended.
	leaving atomic.Bool
	// behind means that its executor has other settings than the config. It belongs to who
	// reloads.
	behind bool
}

// Config returns the config of the backend.
func (b *Backend) Config() *config.Backend { return b.config.Load() }

func newBackend(cfg *config.Backend) *Backend {
	b := &Backend{}
	b.config.Store(cfg)
	return b
}

// New returns the backends of cfg, which are not supervised yet.
func New(cfg config.Config, opts Options) *Set {
	if opts.Observer == nil {
		opts.Observer = unobserved{}
	}
	s := &Set{opts: opts}
	byName := map[string]*Backend{}
	for i := range cfg.Backends {
		b := &cfg.Backends[i]
		byName[b.Name] = newBackend(b)
	}
	s.current.Store(&configured{cfg, byName})
	return s
}

func (s *Set) config() *config.Config        { return &s.current.Load().config }
func (s *Set) byName() map[string]*Backend   { return s.current.Load().byName }
func (s *Set) named(backend string) *Backend { return s.byName()[backend] }

// Start begins to supervise all backends. It returns before they are ready.
func (s *Set) Start() error {
	var err error
	if s.programs, err = supervisor.OpenPrograms(filepath.Join(s.config().StateDir, "executors")); err != nil {
		return fmt.Errorf("directory of the executors' programs: %w", err)
	}
	// Make all before starting one: its sessions may ask for another.
	for _, b := range s.byName() {
		if err := s.prepare(b); err != nil {
			return err
		}
	}
	for _, b := range s.byName() {
		b.Backend.Start()
	}
	return nil
}

// prepare makes what a backend needs to be started.
func (s *Set) prepare(b *Backend) error {
	name := b.Config().Name
	for _, dir := range []string{filepath.Dir(s.stateDir(name)), filepath.Dir(s.runDir(name))} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("backend %s: %w", name, err)
		}
	}
	b.Backend = supervisor.New(s.supervise(b))
	return nil
}

func (s *Set) stateDir(backend string) string { return s.config().BackendStateDir(backend) }
func (s *Set) runDir(backend string) string   { return s.config().BackendRunDir(backend) }

// supervise returns the supervisor's config for a backend.
func (s *Set) supervise(b *Backend) supervisor.Config {
	name := b.Config().Name
	return supervisor.Config{
		Name:   name,
		RunDir: s.runDir(name),
		Find: func() (supervisor.Binary, error) {
			cfg := b.Config()
			path, err := supervisor.Find(s.config().ExecutorDirs, cfg.Executor)
			return supervisor.Binary{Path: path, SHA256: cfg.SHA256}, err
		},
		Programs: s.programs,
		User:     func() (supervisor.User, error) { return s.makeStateDir(b) },
		Cgroup:   s.cgroup(name),
		Logger:   s.opts.Logger.Named(name),
		Hello:    s.opts.Hello,
		Host:     s.opts.Reports(name),
		Environment: func(ctx context.Context, client transport.Client, desc executor.Description) (executor.Environment, error) {
			return s.environment(ctx, b.Config(), client, desc)
		},
		Changed: func(info supervisor.Info) { s.journal(b, info) },
		Ready: func(ctx context.Context, session *supervisor.Session) error {
			return s.opts.Ready(ctx, s.session(name, session))
		},
	}
}

// cgroup returns the cgroup of a backend's executor, nil if it shares the host's.
func (s *Set) cgroup(backend string) *cgroup.Cgroup {
	if s.config().Cgroup == config.CgroupOff {
		return nil
	}
	name := executor.Environment{HostID: s.opts.HostID, Backend: backend}.CgroupName()
	group, err := cgroup.At(filepath.Join(s.config().Cgroup, name))
	if err != nil {
		s.opts.Logger.Warn("the executor shares the host's cgroup", "backend", backend, "error", err)
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
		StateDir: s.stateDir(cfg.Name), RunDir: filepath.Join(s.runDir(cfg.Name), supervisor.WorkDir),
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
func (s *Set) All() map[string]*Backend { return maps.Clone(s.byName()) }

// Has reports whether a backend is in the config.
func (s *Set) Has(name string) bool { return s.named(name) != nil }

// Ready reports whether a backend is ready.
func (s *Set) Ready(name string) bool {
	b := s.named(name)
	return b != nil && b.Info().State == supervisor.Ready
}

// Default returns the name of the default backend, "" if there is none.
func (s *Set) Default() string { return s.config().DefaultBackend }

// Pick returns the backend with a name; "" means the default. The error lists the
// backends that there are.
func (s *Set) Pick(name string) (*Backend, error) {
	now := s.current.Load()
	if name == "" {
		name = now.config.DefaultBackend
	}
	if name == "" {
		return nil, executor.Errorf(executor.Invalid, "no backend is named and the host has no default; the backends are: %s", now.names())
	}
	b := now.byName[name]
	if b == nil {
		return nil, executor.Errorf(executor.NotFound, "no backend is named %q; the backends are: %s", name, now.names())
	}
	return b, nil
}

func (c *configured) names() string {
	return strings.Join(slices.Sorted(maps.Keys(c.byName)), ", ")
}

// Close stops supervising. Executors and workloads run on.
func (s *Set) Close() {
	s.closing.Store(true)
	for _, b := range s.byName() {
		if b.Backend != nil {
			b.Close()
		}
	}
}
