package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/containers"
	"github.com/davit-run/davit/host/internal/images"
	"github.com/davit-run/davit/host/internal/networks"
	"github.com/davit-run/davit/host/internal/ports"
	"github.com/davit-run/davit/host/internal/resolver"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/volumes"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
	"github.com/davit-run/davit/shared/trust"
	"github.com/hashicorp/go-hclog"
)

// storeFile is the store's name in the state directory.
const storeFile = "davit.db"

// Options are what a program decides, as opposed to a config.
type Options struct {
	// Logger gets the log of the host and, under their names, of the backends.
	// Nil discards it; Host.WaitBackend then says what is wrong with a backend.
	Logger hclog.Logger
	// Version of the program, which executors log.
	Version string
	// Linger delays, after Open, the automatic removal of containers that ended under
	// an earlier host. Clients that followed them have that long to come back for the
	// rest of the output and the exit. It is of use to hosts with clients in other
	// processes.
	Linger time.Duration
	// Ephemeral makes containers end with the program, however it ends. Close kills
	// and removes them; if the program is killed, its executors do so. If the executors
	// were killed first, the next Open of the same state directory with Ephemeral does
	// it.
	Ephemeral bool
	// Observer is told what the host does, such as for metrics. Nil means nobody.
	Observer Observer
	// Reload reads the config again and applies it, for clients that ask the host to
	// (POST /v1/reload). It calls Host.Reload, and applies what is the program's own: the log
	// and the API. Nil refuses such requests.
	Reload func(context.Context) (api.Reload, error)

	bootID string // for tests; see store.Options
}

// Host runs containers. It is safe for concurrent use. One state directory has
// one Host at a time.
type Host struct {
	ephemeral  bool
	owner      *os.File // keeps other hosts from the run directory
	store      *store.Store
	backends   *backends.Set
	containers *containers.Manager
	images     *images.Manager
	volumes    *volumes.Manager
	networks   *networks.Manager
	ports      *ports.Manager
	resolver   *resolver.Manager

	reload    func(context.Context) (api.Reload, error)
	reloading chan struct{}   // has room for the one reload that is made
	life      context.Context // ends when the host begins to close
	end       context.CancelFunc
	ended     atomic.Bool // by Close
}

// Open opens the state directory and starts the backends. It returns before they are
// ready: a call waits for the backend that it needs, and a backend that cannot start
// harms no other. ctx bounds Open alone.
func Open(ctx context.Context, cfg config.Config, opts Options) (*Host, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate().Err(); err != nil {
		return nil, err
	}
	if opts.Logger == nil {
		opts.Logger = hclog.NewNullLogger()
	}
	for _, dir := range []string{cfg.StateDir, cfg.RunDir} {
		if err := ownDir(dir); err != nil {
			return nil, fmt.Errorf("directory of the host: %w", err)
		}
	}
	st, err := store.Open(filepath.Join(cfg.StateDir, storeFile), store.Options{BootID: opts.bootID, HostID: containers.KnownHostID(cfg.StateDir), Observer: opts.Observer})
	if err != nil {
		return nil, err
	}
	if damage := st.Info().Damage; damage != nil {
		opts.Logger.Error("the state on disk was damaged", "damage", damage.String())
	}
	if behind := st.Info().Behind; behind != nil {
		opts.Logger.Error(behind.String() + "; what runs is adopted, from the copies beside the output and from what the backends know")
	}
	h := &Host{ephemeral: opts.Ephemeral, store: st, reload: opts.Reload, reloading: make(chan struct{}, 1)}
	h.life, h.end = context.WithCancel(context.Background())
	if h.owner, err = ownRunDir(cfg.RunDir); err != nil {
		return nil, errors.Join(err, h.close())
	}
	if err := h.start(ctx, cfg, opts); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// ownDir makes a directory if need be, and checks that nobody else can write to it, nor
// put another in its place.
func ownDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		_, err = trust.File(dir)
	}
	return err
}

// start starts the parts.
func (h *Host) start(ctx context.Context, cfg config.Config, opts Options) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	info := h.store.Info()
	h.backends = backends.New(cfg, backends.Options{
		HostID: info.HostID, Hello: transport.Hello{Version: opts.Version, Epoch: info.Epoch},
		Logger: opts.Logger, Ephemeral: opts.Ephemeral, Observer: opts.Observer,
		Reports: func(backend string) executor.Host { return h.containers.Reports(backend) },
		Ready:   func(ctx context.Context, s *backends.Session) error { return h.containers.Reconcile(ctx, s) },
		Journal: func(ctx context.Context, e store.Event) error {
			return h.store.Update(ctx, func(tx *store.Tx) error {
				_, err := tx.Append(e)
				return err
			})
		},
	})
	var err error
	h.images, err = images.Open(images.Options{Store: h.store, Logger: opts.Logger, StateDir: cfg.StateDir})
	if err != nil {
		return err
	}
	h.volumes, err = volumes.Open(ctx, volumes.Options{Store: h.store, Logger: opts.Logger, StateDir: cfg.StateDir})
	if err != nil {
		return err
	}
	h.ports, err = ports.Open(ports.Options{
		RunDir: cfg.RunDir, Logger: opts.Logger, Tied: opts.Ephemeral, Name: h.nameOf,
		Keep: *cfg.Network.Enabled && !opts.Ephemeral, Changed: func() { h.networks.Publish() },
	})
	if err != nil {
		return err
	}
	if h.networks, err = h.openNetworks(ctx, cfg, opts.Logger); err != nil {
		return err
	}
	if *cfg.Network.Enabled {
		h.resolver = resolver.Open(resolver.Options{ID: h.ID(), RunDir: cfg.RunDir, Logger: opts.Logger, Tied: opts.Ephemeral})
	}
	h.containers, err = containers.Open(ctx, containers.Options{
		Store: h.store, Backends: h.backends, Images: h.images, Volumes: h.volumes, Networks: h.networks, Ports: h.ports, Resolver: h.resolver, Logger: opts.Logger,
		StateDir: cfg.StateDir, RunDir: cfg.RunDir, Limits: containers.LimitsOf(cfg), Linger: opts.Linger, Ephemeral: opts.Ephemeral, Observer: opts.Observer,
	})
	if err != nil {
		return err
	}
	h.images.Begin(ctx)
	h.warnRemoved(opts.Logger)
	return h.backends.Start()
}

// nameOf returns how messages call a container.
func (h *Host) nameOf(id string) string {
	name := id
	_ = h.store.View(func(tx *store.Tx) error {
		if c, err := tx.Container(id); err == nil && c.Name != "" {
			name = c.Name
		}
		return nil
	})
	return name
}

// warnRemoved logs which backends are not in the config and have containers.
func (h *Host) warnRemoved(logger hclog.Logger) {
	running, err := h.containers.Running()
	if err != nil {
		logger.Error("containers of backends that are not in the config were not looked for", "error", err)
	}
	for name, n := range running {
		if !h.backends.Has(name) {
			logger.Warn(backends.Removed(name), "backend", name, "containers", n)
		}
	}
}

// ID returns the host's id, which its state directory keeps.
func (h *Host) ID() string { return h.store.Info().HostID }

// Close stops the host. Containers and executors run on, and the next Open of the same
// state directory goes on with them. With Options.Ephemeral they end. An executor on whose
// backend nothing runs is ended as well, unless it takes too long. Closing again does
// nothing. Whatever is called later fails with [executor.Unavailable].
func (h *Host) Close() error {
	if h.ended.Swap(true) {
		return nil
	}
	h.end()
	h.reloading <- struct{}{} // none is under way from here on
	defer func() { <-h.reloading }()
	var err error
	if h.ephemeral {
		err = h.endAll()
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), idleTimeout)
		_ = h.stopIdle(ctx) // else the next host goes on with it
		cancel()
	}
	return errors.Join(err, h.close())
}

// close stops the parts that there are.
func (h *Host) close() error {
	h.end()
	var errs []error
	if h.containers != nil {
		h.containers.Interrupt()
	}
	if h.networks != nil {
		h.networks.Interrupt()
	}
	if h.backends != nil {
		h.backends.Close()
	}
	if h.containers != nil {
		errs = append(errs, h.containers.Close())
	}
	if h.ports != nil {
		h.ports.Close()
	}
	if h.resolver != nil {
		h.resolver.Close()
	}
	if h.networks != nil {
		h.networks.Close()
	}
	if h.images != nil {
		h.images.Close()
	}
	if h.volumes != nil {
		h.volumes.Close()
	}
	errs = append(errs, h.store.Close())
	if h.owner != nil {
		errs = append(errs, h.owner.Close())
	}
	return errors.Join(errs...)
}
