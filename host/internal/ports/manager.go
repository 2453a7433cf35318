package ports

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/davit-run/davit/host/publish"
	"github.com/davit-run/davit/shared/keyed"
	"github.com/hashicorp/go-hclog"
)

// Options are what a Manager needs. RunDir and Logger are required.
type Options struct {
	RunDir string
	Logger hclog.Logger
	// Tied lets holders end with this process, however it ends.
	Tied bool
	// Name returns how messages call a container; nil calls it by its id.
	Name func(id string) string
	// Keep lets connections that the kernel forwards outlive a flush of all its rules, for as
	// long as there is a holder.
	Keep bool
	// Changed, unless nil, is called after each change of what Serves returns, or of where
	// the ports of a container lead, and before ports become free.
	Changed func()
}

// Want is what a container publishes.
type Want struct {
	ID string
	// Asked is what its user has asked for, and Bound what came of it before, if anything
	// did. A port that was left open stays the same as long as it is free.
	Asked, Bound []publish.Port
	// Target is its address, and Target6 that of IPv6, if it has one: what it refuses at the
	// first, it gets at the second.
	Target, Target6 netip.Addr
	// Record records what was bound in the place of Bound, before it is served. It is called
	// from one goroutine at a time.
	Record func(ctx context.Context, bound []publish.Port) error
}

// Manager manages the holders of a host. It is safe for concurrent use.
type Manager struct {
	opts Options
	dir  string

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	// changes has a lock for each container whose holder is started or ended, by id.
	changes keyed.Mutex

	mu       sync.Mutex
	closed   bool
	reserved map[string]*sockets // by id
	held     map[string]*held    // by id
	served   map[string]bool     // by id; see Serves
}

// Open opens the run directory, and sees which holders there are. It neither starts nor ends
// anything: see Hold, End and IDs.
func Open(opts Options) (*Manager, error) {
	dir := filepath.Join(opts.RunDir, "ports")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if opts.Name == nil {
		opts.Name = func(id string) string { return id }
	}
	m := &Manager{opts: opts, dir: dir, reserved: map[string]*sockets{}, held: map[string]*held{}}
	if m.opts.Changed == nil {
		m.opts.Changed = func() {}
	}
	m.served = m.findHolders()
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m, nil
}

// Close stops watching the holders, which live on unless they are tied.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cancel()
	m.wg.Wait()
	for _, s := range m.reserved {
		s.close()
	}
}

// background runs fn in a goroutine for which Close waits. It does nothing if the Manager is
// closed.
func (m *Manager) background(fn func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.wg.Go(fn)
	}
}

// Reserve binds ports of a container that is being made, in addition to those that were
// reserved for it before, and returns them. They are its own until its holder has them, or End
// is called. The error says which port is taken, and by whom.
func (m *Manager) Reserve(ctx context.Context, id string, asked []publish.Port) ([]publish.Port, error) {
	if err := publish.Check(asked); err != nil || len(asked) == 0 {
		return nil, err
	}
	s, err := m.bind(ctx, asked, nil)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		s.close()
		return nil, errors.New("the host is closing")
	}
	all := m.reserved[id]
	if all == nil {
		all = new(sockets)
		m.reserved[id] = all
	}
	all.ports, all.files = append(all.ports, s.ports...), append(all.files, s.files...)
	return s.ports, nil
}

// takeReserved returns the sockets that were reserved for a container, or nil.
func (m *Manager) takeReserved(id string) *sockets {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.reserved[id]
	delete(m.reserved, id)
	return s
}

// IDs returns the containers that may have a holder, also of earlier hosts.
func (m *Manager) IDs() ([]string, error) {
	entries, err := os.ReadDir(m.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("published ports: %w", err)
	}
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	return ids, nil
}

// same reports whether the same ports are bound.
func same(a, b []publish.Port) bool { return slices.Equal(a, b) }
