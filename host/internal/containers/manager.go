package containers

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/health"
	"github.com/davit-run/davit/host/internal/images"
	"github.com/davit-run/davit/host/internal/networks"
	"github.com/davit-run/davit/host/internal/output"
	"github.com/davit-run/davit/host/internal/ports"
	"github.com/davit-run/davit/host/internal/resolver"
	"github.com/davit-run/davit/host/internal/shm"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/volumes"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/keyed"
	"github.com/hashicorp/go-hclog"
)

// Options are what a Manager needs. All but Resolver, Linger, Ephemeral and Observer are required.
type Options struct {
	Store    *store.Store
	Backends *backends.Set
	Images   *images.Manager
	Volumes  *volumes.Manager
	Networks *networks.Manager
	Ports    *ports.Manager
	// Resolver is nil where there are no networks.
	Resolver *resolver.Manager
	Logger   hclog.Logger
	// StateDir is where output is kept, and RunDir the run directory of the host.
	StateDir, RunDir string
	// Limits can be changed later, see SetLimits.
	Limits Limits
	// Linger and Ephemeral are those of the host's Options.
	Linger    time.Duration
	Ephemeral bool
	// Observer is told of starts and of output; nil means nobody.
	Observer Observer
}

// Manager manages the containers of a host. It is safe for concurrent use.
type Manager struct {
	opts     Options
	store    *store.Store
	backends *backends.Set
	outputs  *output.Outputs
	images   *images.Manager
	volumes  *volumes.Manager
	health   *health.Scheduler
	networks *networks.Manager
	ports    *ports.Manager
	resolver *resolver.Manager
	shm      shm.Dirs
	logger   hclog.Logger
	opened   time.Time // older containers were made by an earlier host

	limits atomic.Pointer[Limits]
	// relimited wakes who acts on limits.
	relimited chan struct{}

	ctx    context.Context // ends with Interrupt
	cancel context.CancelFunc
	wg     sync.WaitGroup

	// starts has a lock for each container that is being started or removed, by id.
	starts keyed.Mutex
	// zones is held by whoever tells the resolver what there is.
	zones sync.Mutex
	// suspects has a lock for each backend, for containers whose start may have ended its
	// executor.
	suspects keyed.Mutex

	// settleWait is that, and shorter in tests.
	settleWait time.Duration

	// updates has a lock for each container whose limits are being changed, by id.
	updates keyed.Mutex

	// checkpoints has a lock for each container of which a checkpoint is being made or removed,
	// by id.
	checkpoints keyed.Mutex

	// holds has a lock for each container that is held, by id.
	holds keyed.Mutex

	// closes counts the ends of inputs that were recorded.
	closes atomic.Int64

	// copies has a lock for each container whose copy is being written, by id.
	copies keyed.Mutex

	// etcs has a lock for each network namespace whose containers' files for /etc are being
	// made, by id.
	etcs keyed.Mutex

	// hosts is held by who changes containers' /etc/hosts.
	hosts sync.Mutex

	mu      sync.Mutex
	closing bool
	// draining means that no container may be started any more.
	draining bool
	// starting ends the starts under way, by id.
	starting map[string]context.CancelCauseFunc
	// pursued has the containers of which something recorded is being carried out, by id.
	pursued map[string]bool
	// unmade has the ids of containers that are being made and have no record yet.
	unmade map[string]bool
	// pins counts, by id, what keeps a container from being removed automatically.
	pins map[string]int
	// ends has the attempts whose end somebody waits for.
	ends map[executor.Ref]*ending
	// claims has the clients of execs.
	claims map[executor.Ref]*claim
	// probes has the commands of health checks that run or are being removed, by the id of
	// their container.
	probes map[string]*commandProbe
	// probing has a slot for each command of a health check that a backend is starting.
	probing map[string]chan struct{}
}

// Open opens the output, and records what an earlier host has left to do. The backends'
// reconciles do it.
func Open(ctx context.Context, opts Options) (*Manager, error) {
	if opts.Observer == nil {
		opts.Observer = unobserved{}
	}
	m := &Manager{
		opts: opts, store: opts.Store, backends: opts.Backends, images: opts.Images, volumes: opts.Volumes, networks: opts.Networks, ports: opts.Ports, resolver: opts.Resolver, shm: shm.In(opts.RunDir), logger: opts.Logger, opened: time.Now(),
		settleWait: settleWait, pursued: map[string]bool{}, starting: map[string]context.CancelCauseFunc{}, unmade: map[string]bool{}, pins: map[string]int{}, ends: map[executor.Ref]*ending{}, claims: map[executor.Ref]*claim{},
		probes: map[string]*commandProbe{}, probing: map[string]chan struct{}{},
	}
	m.health = health.NewScheduler(health.Actions{Probe: m.probe, Changed: m.recordHealth})
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.limits.Store(&opts.Limits)
	m.relimited = make(chan struct{}, 1)
	var err error
	if m.outputs, err = output.Open(opts.StateDir, m.outputNotice, m.outputGrown); err != nil {
		return nil, err
	}
	if m.store.Info().Incomplete() {
		if err := m.recoverRecords(ctx); err != nil {
			m.logger.Error("records of containers were not recovered", "error", err)
		}
	}
	if err := m.applyPolicies(ctx); err != nil {
		m.logger.Error("restart policies of the earlier host's containers were not applied", "error", err)
	}
	m.keepPorts(ctx)
	m.background(m.retain)
	m.background(func() { m.health.Run(m.ctx) })
	m.background(m.syncAllHosts)
	m.sweepShm()
	m.removeLostRoots()
	return m, nil
}

// Interrupt cancels work in the background. Close waits for that work.
func (m *Manager) Interrupt() {
	m.mu.Lock()
	m.closing = true
	m.mu.Unlock()
	m.cancel()
}

// Close stops the Manager. Containers run on.
func (m *Manager) Close() error {
	m.Interrupt()
	m.wg.Wait()
	return m.outputs.Close()
}

// background runs fn in a goroutine for which Close waits. It does nothing if the
// Manager is closing.
func (m *Manager) background(fn func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closing {
		m.wg.Go(fn)
	}
}
