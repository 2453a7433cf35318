package networks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/keyed"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// Options are what a Manager needs. All but Own and Serves are required.
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
	// Own, if not empty, is part of the names of bridges and table, at most 8 letters and
	// digits.
	Own string
	// Serves reports whether a process holds the published ports of a container. Without it
	// no port has rules.
	Serves func(id string) bool
}

// Manager manages the networks of a host. It is safe for concurrent use.
type Manager struct {
	store  *store.Store
	logger hclog.Logger
	dir    string
	// copyFile has a copy of the records.
	copyFile string
	enabled  bool
	pool     []netip.Prefix
	ipv6     bool
	ula      netip.Prefix // has the subnets of IPv6
	bridges  string       // begins their names; a number follows
	table    string
	serves   func(id string) bool

	// cancel ends the watch for changes by others, and done waits for its end.
	cancel, done func()

	// changes is held by whoever changes networks, or what all containers share.
	changes sync.Mutex
	// untranslated says why the published ports of a family have no rules. changes guards it.
	untranslated map[*family]string

	// spaces has a lock for each network namespace that is being made or removed, by id.
	spaces keyed.Mutex

	// sayObstacles logs what keeps packets from the networks, once.
	sayObstacles sync.Once
	// sayLack logs that the machine has no IPv6, once.
	sayLack sync.Once
	// saySysctls logs that links cannot be prepared for IPv6, once.
	saySysctls sync.Once

	mu sync.Mutex
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
	if m.serves = opts.Serves; m.serves == nil {
		m.serves = func(string) bool { return false }
	}
	m.cancel, m.done = func() {}, func() {}
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
	var err error
	ctx, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if m.done, err = m.watch(ctx); err != nil {
		m.logger.Debug("what other programs remove of networks is only made again when a container is started", "error", err)
	}
	return m, nil
}

// Path returns the path of the network namespace that is named after a container.
func (m *Manager) Path(id string) string { return filepath.Join(m.dir, id) }

// Close ends what Open has begun. The networks stay.
func (m *Manager) Close() {
	m.cancel()
	m.done()
}

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
		return executor.Errorf(executor.FailedPrecondition, "%w; the host needs CAP_NET_ADMIN and CAP_SYS_ADMIN for networks, and --network none and host work without", err)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EAFNOSUPPORT):
		return executor.Errorf(executor.FailedPrecondition, "%w; networks need bridges, veth and nftables in the kernel, and --network none and host work without", err)
	}
	return executor.Errorf(executor.Unavailable, "%w", err)
}
