package networks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"github.com/davit-run/davit/host/internal/networks/cni"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/usernet"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/keyed"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// Options are what a Manager needs. All but Tied, Own and Serves are required.
type Options struct {
	Store    *store.Store
	Logger   hclog.Logger
	StateDir string
	RunDir   string
	// Enabled allows networks. Without it nothing of the machine is touched.
	Enabled bool
	// IPv6 gives new networks IPv6 that do not say whether they have it.
	IPv6 bool
	// Pool has the subnets from which networks get theirs.
	Pool []netip.Prefix
	// Tied lets what connects containers with the network user end with this process.
	Tied bool
	// Own, if not empty, is part of the names of bridges and table, at most 8 letters and
	// digits.
	Own string
	// Serves reports whether a process holds the published ports of a container. Without it
	// no port has rules.
	Serves func(id string) bool
	// CNI are networks that plugins make.
	CNI []CNI
}

// Manager manages the networks of a host. It is safe for concurrent use.
type Manager struct {
	store  *store.Store
	logger hclog.Logger
	dir    string
	// copyFile has a copy of the records.
	copyFile string
	enabled  bool
	ula      netip.Prefix // has the subnets of IPv6
	bridges  string       // begins their names; a number follows
	table    string
	serves   func(id string) bool
	// drivers are those of all kinds of networks.
	drivers []driver
	plugins *plugins // one of them

	// ctx ends with Interrupt, and stop does that. Close waits for what wg has.
	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup

	// done waits for the end of the watch for changes by others.
	done func()

	// changes is held by whoever changes networks, or what all containers share.
	changes sync.Mutex
	// untranslated says why the published ports of a family have no rules. changes guards it.
	untranslated map[*family]string

	// user has the programs that connect containers with the network user.
	user *usernet.Manager

	// spaces has a lock for each network namespace that is being made or removed, by id.
	spaces keyed.Mutex

	forgetter forgetter

	// sayObstacles logs what keeps packets from the networks, once.
	sayObstacles sync.Once
	// sayLack logs that the machine has no IPv6, once.
	sayLack sync.Once
	// saySysctls logs that links cannot be prepared for IPv6, once.
	saySysctls sync.Once

	mu sync.Mutex
	// pool has the subnets from which new networks get theirs, and ipv6 gives them IPv6, too.
	pool []netip.Prefix
	ipv6 bool
	// last has the last address that was leased of each network and family.
	last map[sequence]netip.Addr
	// translated are the translations that there are.
	translated []translation
}

// Open opens the networks of a host, and makes what an earlier host has left of them agree
// with the records.
func Open(ctx context.Context, opts Options) (*Manager, error) {
	m := &Manager{
		store: opts.Store, logger: opts.Logger, enabled: opts.Enabled, pool: opts.Pool,
		dir: filepath.Join(opts.RunDir, "netns"), copyFile: filepath.Join(opts.StateDir, "networks.json"), bridges: "davit", table: "davit", last: map[sequence]netip.Addr{},
		untranslated: map[*family]string{}, ipv6: opts.IPv6, ula: ula(opts.Store.Info().HostID),
	}
	if opts.Own != "" {
		m.bridges, m.table = "dv"+opts.Own+"n", "davit_"+opts.Own
	}
	m.user = usernet.New(usernet.Options{RunDir: opts.RunDir, Logger: opts.Logger, Tied: opts.Tied})
	m.forgetter.changed.L = &m.forgetter.mu
	if m.serves = opts.Serves; m.serves == nil {
		m.serves = func(string) bool { return false }
	}
	m.plugins = &plugins{m, map[string]CNI{}, &cni.Runner{
		Dir: filepath.Join(opts.RunDir, "cni"), Timeout: cni.DefaultTimeout, Patience: cni.DefaultPatience, Logger: opts.Logger,
	}}
	for _, n := range opts.CNI {
		m.plugins.networks[n.Name] = n
	}
	m.drivers = []driver{m.bridge(), m.plugins}
	m.ctx, m.stop = context.WithCancel(context.WithoutCancel(ctx))
	m.done = func() {}
	if !m.enabled {
		return m, nil
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return nil, executor.ExplainDisk(opts.RunDir, executor.Errorf(executor.Unavailable, "network namespaces: %w", err))
	}
	if m.store.Info().Incomplete() {
		if err := m.restore(ctx); err != nil {
			m.logger.Error("records of networks were not made again", "file", m.copyFile, "error", err)
		}
	}
	if err := m.recover(ctx); err != nil {
		m.logger.Error("networks of an earlier host were not made again; each start tries it for its container", "error", err)
	}
	m.wg.Go(func() { m.plugins.recover(m.ctx) })
	var err error
	if m.done, err = m.watch(m.ctx); err != nil {
		m.logger.Debug("what other programs remove of networks is only made again when a container is started", "error", err)
	}
	return m, nil
}

// SetNew changes what new networks get: subnets of the pool, and IPv6. Those that there are
// keep what they have.
func (m *Manager) SetNew(pool []netip.Prefix, ipv6 bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pool, m.ipv6 = pool, ipv6
}

// forNew returns what new networks get.
func (m *Manager) forNew() (pool []netip.Prefix, ipv6 bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pool, m.ipv6
}

// Path returns the path of the network namespace that is named after a container.
func (m *Manager) Path(id string) string { return filepath.Join(m.dir, id) }

// Interrupt ends the runs of plugins that are under way. What they have not done, the next
// host has done.
func (m *Manager) Interrupt() { m.stop() }

// Close ends what Open has begun. The networks stay.
func (m *Manager) Close() {
	m.stop()
	m.done()
	m.wg.Wait()
	m.forgetter.wg.Wait()
	m.user.Close()
}

// lasting returns a context that ends with ctx or with Interrupt. The caller calls stop.
func (m *Manager) lasting(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	after := context.AfterFunc(m.ctx, func() { cancel(errClosing) })
	return ctx, func() { after(); cancel(nil) }
}

var errClosing = errors.New("the host is closing")

const linkPrefix = "veth"

// LinkName returns the name of the machine's end of a container's first link.
func LinkName(id string) string {
	const length = 11 // of 15 that the kernel allows
	return linkPrefix + id[:min(length, len(id))]
}

// errOff returns the error for networks that the config forbids.
func errOff() error {
	return executor.Errorf(executor.FailedPrecondition, "networks are off in the config (network { enabled = false }); use --network none or host, or set it to true")
}

// explain gives an error of the kernel a code, and says what to do.
func explain(what string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*executor.Error](err); ok {
		return err
	}
	err = fmt.Errorf("%s: %w", what, err)
	switch {
	case errors.Is(err, unix.EPERM):
		return executor.Errorf(executor.FailedPrecondition, "%w; the host needs CAP_NET_ADMIN and CAP_SYS_ADMIN for networks; --network none and host work without, and --network user, with passt or slirp4netns installed, without CAP_NET_ADMIN", err)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EAFNOSUPPORT):
		return executor.Errorf(executor.FailedPrecondition, "%w; networks need bridges, veth and nftables in the kernel; --network none and host work without, and --network user, with passt or slirp4netns installed", err)
	}
	return executor.Errorf(executor.Unavailable, "%w", err)
}
