package images

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/davit-run/davit/host/internal/images/blob"
	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/davit-run/davit/host/internal/rootfs"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/keyed"
	"github.com/hashicorp/go-hclog"
)

// Options are what a Manager needs. All are required.
type Options struct {
	Store    *store.Store
	Logger   hclog.Logger
	StateDir string
}

// Manager manages the images of a host. It is safe for concurrent use.
type Manager struct {
	store  *store.Store
	logger hclog.Logger
	tmp    string
	blobs  *blob.Store
	layers *layer.Store
	roots  *rootfs.Store

	wg sync.WaitGroup

	// fetching has a lock for each blob that is being fetched, by digest.
	fetching keyed.Mutex
	// fetchPause is how long a fetch waits before it tries again.
	fetchPause time.Duration

	// logins is held by who changes credentials: their file is read and written whole.
	logins sync.Mutex

	copying  sync.Mutex
	copyPath string

	mu sync.Mutex
	// held counts, for blobs and layers, who is about to record that they are needed.
	held map[string]int
}

// Open opens the images below a state directory. What an earlier host has left of work that
// was interrupted is removed in the background.
func Open(opts Options) (*Manager, error) {
	dir := filepath.Join(opts.StateDir, "images")
	at := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	for _, sub := range []string{at("blobs", "sha256"), at("ingest"), at("layers"), at("tmp")} {
		if err := os.MkdirAll(sub, 0o700); err != nil {
			return nil, executor.ExplainDisk(dir, executor.Errorf(executor.Unavailable, "images: %w", err))
		}
	}
	roots, err := rootfs.Open(filepath.Join(opts.StateDir, "roots"), at("layers"))
	if err != nil {
		return nil, err
	}
	m := &Manager{
		store: opts.Store, logger: opts.Logger, tmp: at("tmp"),
		blobs:  blob.NewStore(at("blobs", "sha256"), at("ingest")),
		layers: layer.NewStore(at("layers"), at("tmp"), layer.Limits{}),
		roots:  roots, held: map[string]int{}, copyPath: at("records.json"), fetchPause: time.Second,
	}
	left := append(contents(at("tmp")), contents(at("ingest"))...)
	left = slices.DeleteFunc(left, func(path string) bool { return path == at("ingest", blob.PartialDir) })
	m.wg.Go(func() { m.discard(left) })
	return m, nil
}

// contents returns the paths of what is in a directory.
func contents(dir string) (paths []string) {
	entries, _ := os.ReadDir(dir) // one that cannot be read fails its next user
	for _, e := range entries {
		paths = append(paths, filepath.Join(dir, e.Name()))
	}
	return paths
}

// discard removes what nothing knows any more.
func (m *Manager) discard(paths []string) {
	for _, path := range paths {
		if err := os.RemoveAll(path); err != nil {
			m.logger.Warn("what is left of an image was not removed", "path", path, "error", err)
		}
	}
}

// Begin sweeps. If records may have been lost, it makes them again from their copy, and
// removes nothing: what they were about may be wanted again.
func (m *Manager) Begin(ctx context.Context) {
	if _, err := m.removePartial(partialAge); err != nil {
		m.logger.Warn("what is left of pulls was not removed", "error", err)
	}
	if !m.store.Info().Incomplete() {
		m.sweepQuietly()
		return
	}
	if err := m.recoverRecords(ctx); err != nil {
		m.logger.Error("records of images were not recovered", "error", err)
	}
	m.keepCopy()
}

// Close waits for what is done in the background.
func (m *Manager) Close() { m.wg.Wait() }

// Roots returns the root file systems of containers.
func (m *Manager) Roots() *rootfs.Store { return m.roots }

// hold keeps blobs and layers from being swept until release is called.
func (m *Manager) hold(keys ...string) (release func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		m.held[key]++
	}
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, key := range keys {
			if m.held[key]--; m.held[key] == 0 {
				delete(m.held, key)
			}
		}
	}
}

func (m *Manager) view(fn func(*store.Tx) error) error { return m.store.View(fn) }

// update records something, also if the caller has gone meanwhile.
func (m *Manager) update(ctx context.Context, fn func(*store.Tx) error) error {
	err := m.store.Update(context.WithoutCancel(ctx), fn)
	if err == nil {
		m.keepCopy()
	}
	return err
}
