package usernet

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/keyed"
	"github.com/hashicorp/go-hclog"
)

// Options are what a Manager needs. RunDir and Logger are required.
type Options struct {
	RunDir string
	Logger hclog.Logger
	// Tied lets helpers end with this process, however it ends.
	Tied bool
}

// Manager manages the helpers of a host. It is safe for concurrent use.
type Manager struct {
	opts Options
	dir  string

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	// changes has a lock for each container whose helper is started or ended, by id.
	changes keyed.Mutex

	mu     sync.Mutex
	closed bool
	held   map[string]*helper // by id
}

// New returns a Manager. It does nothing: see Hold, Keep, End and IDs.
func New(opts Options) *Manager {
	m := &Manager{opts: opts, dir: filepath.Join(opts.RunDir, "usernet"), held: map[string]*helper{}}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// Close stops watching the helpers, which live on unless they are tied.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cancel()
	m.wg.Wait()
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

// IDs returns the containers that may have a helper, also of earlier hosts.
func (m *Manager) IDs() ([]string, error) {
	entries, err := os.ReadDir(m.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	return ids, err
}

// Has reports whether a container has, or had, a helper that was not ended.
func (m *Manager) Has(id string) bool {
	_, err := os.Stat(filepath.Join(m.dir, id))
	return err == nil
}

// Hold sees to it that the network namespace at a path, that of a container, has a helper that
// has set it up: the one that it has, also from an earlier host, or else a new one. From then on
// another one is started whenever it dies, until End is called.
func (m *Manager) Hold(ctx context.Context, id, netns string) error {
	unlock, err := m.changes.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	m.mu.Lock()
	h := m.held[id]
	m.mu.Unlock()
	if h != nil && h.lives() {
		return nil
	}
	return m.hold(ctx, id, netns, 0)
}

// Keep does what Hold does, in the background and until it succeeds or End is called.
func (m *Manager) Keep(id, netns string) {
	h := &helper{id: id, netns: netns}
	m.mu.Lock()
	if m.held[id] != nil {
		m.mu.Unlock()
		return
	}
	m.held[id] = h
	m.mu.Unlock()
	m.background(func() { m.holdAgain(h, 0) })
}

// watch makes a helper the one that its container has, and starts another one when it dies.
func (m *Manager) watch(h *helper) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		_ = h.process.Close()
		return
	}
	m.held[h.id] = h
	m.wg.Go(func() {
		err := h.process.Wait(m.ctx)
		close(h.ended)
		if err == nil && h.child != nil {
			_ = h.child()
		}
		_ = h.process.Close()
		if err != nil || !m.holds(h) {
			return
		}
		m.opts.Logger.Warn("the program that connects a container with network user has died, and is started again", "container", h.id, "pid", h.process.PID)
		deaths := h.deaths + 1
		if time.Since(h.since) > lived {
			deaths = 0
		}
		m.holdAgain(h, deaths)
	})
}

// holds reports whether a helper is the one that its container is to have.
func (m *Manager) holds(h *helper) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held[h.id] == h
}

// holdAgain replaces a helper that has died, however long it takes.
func (m *Manager) holdAgain(h *helper, deaths int) {
	for tries := deaths; ; tries++ {
		if tries > 0 {
			select {
			case <-time.After(min(minPause<<min(tries-1, 16), maxPause)):
			case <-m.ctx.Done():
				return
			}
		}
		unlock, err := m.changes.Lock(m.ctx, h.id)
		if err != nil {
			return
		}
		if !m.holds(h) {
			unlock()
			return
		}
		err = m.hold(m.ctx, h.id, h.netns, tries)
		unlock()
		if err == nil || m.ctx.Err() != nil {
			return
		}
		m.opts.Logger.Error("a container with network user is not connected; that is tried again", "container", h.id, "error", err)
	}
}
