package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/output"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/supervisor"
	"github.com/davit-run/davit/host/internal/trust"
	"github.com/davit-run/davit/shared/executor"
	"github.com/hashicorp/go-hclog"

	"github.com/davit-run/davit/shared/failpoint"
)

// storeFile is the store's name in the state directory.
const storeFile = "davit.db"

// Options are what a program decides, as opposed to a config.
type Options struct {
	// Logger gets the log of the host and, under their names, of the backends.
	// Nil discards it.
	Logger hclog.Logger
	// Version of the program, told to executors for their logs.
	Version string
	// Linger keeps containers of an earlier host that have ended and remove
	// themselves for that long after Open, so that those who followed them come
	// back for the rest of the output and the exit. It is of use to hosts with
	// clients in other processes.
	Linger time.Duration
	// Ephemeral makes containers end with the program, however it ends: Close kills
	// and removes them, and when the program is killed its executors do so. What
	// they could not do because they were killed first is done by the next Open
	// with Ephemeral of the same state directory.
	Ephemeral bool

	bootID string // for tests; see store.Options
}

// Host runs containers. It is safe for concurrent use. One state directory has
// one Host at a time.
type Host struct {
	config   config.Config
	logger   hclog.Logger
	version  string
	owner    *os.File // keeps other hosts from the run directory
	store    *store.Store
	output   *output.Dir
	watcher  *output.Watcher
	tracker  *output.Tracker
	maxBytes int64     // default cap of an output stream
	opened   time.Time // containers from before are an earlier host's
	linger   time.Duration
	programs *supervisor.Programs
	// ephemeral is Options.Ephemeral.
	ephemeral bool
	backends  map[string]*backend

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	closing bool
	// draining says that no container may be started any more.
	draining bool
	// holds keep containers from being removed automatically, by id.
	holds map[string]int
	// turns has the ids of containers that are being started or deleted; see turn.
	turns map[string]chan struct{}
	// ends are told to those who wait for an attempt.
	ends map[executor.Ref]*ending
}

// Open opens the state directory and starts the backends. It returns before they
// are ready: calls wait for the backend that they need, and one that cannot
// start harms no other. ctx bounds Open alone.
func Open(ctx context.Context, cfg config.Config, opts Options) (*Host, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate().Err(); err != nil {
		return nil, err
	}
	if opts.Logger == nil {
		opts.Logger = hclog.NewNullLogger()
	}
	for _, dir := range []string{cfg.StateDir, cfg.RunDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("directory of the host: %w", err)
		}
		info, err := os.Stat(dir)
		if err == nil {
			err = trust.Check(dir, info)
		}
		if err != nil {
			return nil, fmt.Errorf("directory of the host: %w", err)
		}
	}
	files, err := output.OpenDir(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	watcher, err := output.NewWatcher()
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	_ = failpoint.Hit("host.open.directories")
	st, err := store.Open(filepath.Join(cfg.StateDir, storeFile), store.Options{BootID: opts.bootID})
	if err != nil {
		return nil, errors.Join(err, watcher.Close(), files.Close())
	}
	_ = failpoint.Hit("host.open.store")
	h := &Host{
		config: cfg, logger: opts.Logger, version: opts.Version,
		store: st, output: files, watcher: watcher, opened: time.Now(), linger: opts.Linger, ephemeral: opts.Ephemeral,
		backends: map[string]*backend{},
		holds:    map[string]int{}, ends: map[executor.Ref]*ending{}, turns: map[string]chan struct{}{},
	}
	h.maxBytes, _ = cfg.Output.MaxBytes() // was validated
	if h.owner, err = ownRunDir(cfg.RunDir); err != nil {
		return nil, errors.Join(err, st.Close(), watcher.Close(), files.Close())
	}
	h.tracker = output.NewTracker(watcher, h.outputNotice)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	if damage := st.Info().Damage; damage != nil {
		h.logger.Error("the state on disk was damaged", "damage", damage.String())
	}
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(err, h.close())
	}
	if err := h.renew(ctx); err != nil {
		h.logger.Error("containers of the earlier host were not looked at", "error", err)
	}
	if h.programs, err = supervisor.OpenPrograms(filepath.Join(cfg.StateDir, "executors")); err != nil {
		return nil, errors.Join(fmt.Errorf("directory of the executors' programs: %w", err), h.close())
	}
	for i := range cfg.Backends {
		if err := h.startBackend(&cfg.Backends[i]); err != nil {
			return nil, errors.Join(err, h.close())
		}
	}
	return h, nil
}

// ID gives the host's id, which its state directory keeps.
func (h *Host) ID() string { return h.store.Info().HostID }

// Close stops the host. Containers and executors run on; the next Open of the
// same state directory takes them up. With Options.Ephemeral they end.
func (h *Host) Close() error {
	if h.ephemeral {
		return errors.Join(h.vanish(), h.close())
	}
	return h.close()
}

func (h *Host) close() error {
	h.mu.Lock()
	h.closing = true
	h.mu.Unlock()
	h.cancel()
	for _, b := range h.backends {
		b.Close()
	}
	h.wg.Wait()
	h.tracker.Close()
	return errors.Join(h.store.Close(), h.watcher.Close(), h.output.Close(), h.owner.Close())
}

// background runs fn, for which Close waits, unless the host is closing.
func (h *Host) background(fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closing {
		h.wg.Go(fn)
	}
}
