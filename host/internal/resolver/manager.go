package resolver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/davit-run/davit/host/internal/resolver/server"
	"github.com/davit-run/davit/shared/linux"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// Options are what a Manager needs. All but Tied are required.
type Options struct {
	// ID tells the host's resolver from others.
	ID     string
	RunDir string
	Logger hclog.Logger
	// Tied lets it end with this process, however that ends.
	Tied bool
}

// Manager manages the resolver of a host. It is safe for concurrent use.
type Manager struct {
	opts Options
	dir  string

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	// ring has a value once something has changed.
	ring chan struct{}

	// changes is held by whoever writes the file.
	changes sync.Mutex

	mu      sync.Mutex
	written []byte // what the file has, nil if it was not written yet
	clients int
	process *linux.Process // nil while there is none
	serving chan struct{}  // closed once process serves
	// probeTime is that, and shorter in tests.
	probeTime time.Duration
	// silent has when the resolver did not answer on a network.
	silent map[string]time.Time
}

// Open begins to see to it that there is a resolver, once [Manager.Set] has said what for.
func Open(opts Options) *Manager {
	m := &Manager{
		opts: opts, dir: filepath.Join(opts.RunDir, "dns"), ring: make(chan struct{}, 1),
		serving: make(chan struct{}), silent: map[string]time.Time{}, probeTime: probeTime,
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.wg.Go(m.keep)
	return m
}

// Set says what is answered to whom. It returns when that holds, if there is a resolver.
func (m *Manager) Set(z server.Zones) error {
	z.ID = m.opts.ID
	text, err := json.Marshal(z)
	if err != nil {
		return err
	}
	m.changes.Lock()
	defer m.changes.Unlock()
	m.mu.Lock()
	same, was := bytes.Equal(text, m.written), m.clients
	m.clients = len(z.Clients)
	m.mu.Unlock()
	if same || len(z.Clients) == 0 && was == 0 && !m.there() {
		return nil
	}
	if err := m.write(text); err != nil {
		return err
	}
	m.mu.Lock()
	m.written = text
	if m.process != nil {
		_ = m.process.Signal(unix.SIGHUP) // one that ends is replaced
	}
	m.mu.Unlock()
	select {
	case m.ring <- struct{}{}:
	default:
	}
	return nil
}

// write replaces the file with zones, which the resolver's user may read.
func (m *Manager) write(text []byte) error {
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(m.dir, server.ZonesFile)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		const dirMode, fileMode = 0o710, 0o640
		err := errors.Join(os.Chown(m.dir, 0, server.User), os.Chmod(m.dir, dirMode), os.Chown(path+".new", 0, server.User), os.Chmod(path+".new", fileMode))
		if err != nil {
			return err
		}
	}
	return os.Rename(path+".new", path)
}

// there reports whether an earlier host has left something.
func (m *Manager) there() bool {
	_, err := os.Stat(m.dir)
	return err == nil
}

// wanted reports whether there is to be a resolver.
func (m *Manager) wanted() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clients > 0 && m.written != nil
}

// Close lets go of the resolver. It lives on, unless it is tied, or there is nobody who could
// ask.
func (m *Manager) Close() {
	m.cancel()
	m.wg.Wait()
}
