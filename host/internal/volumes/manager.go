package volumes

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/keyed"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// Options are what a Manager needs. All are required.
type Options struct {
	Store    *store.Store
	Logger   hclog.Logger
	StateDir string
}

// Manager manages the volumes of a host. It is safe for concurrent use.
type Manager struct {
	store  *store.Store
	logger hclog.Logger
	dir    string

	wg sync.WaitGroup

	// changes has a lock for each volume that is being made, filled or removed, by name.
	changes keyed.Mutex

	mu sync.Mutex
	// held counts, by name, the containers that are being made with a volume.
	held map[string]int
}

// Open opens the volumes below a state directory. It completes what an earlier host has left
// undone.
func Open(ctx context.Context, opts Options) (*Manager, error) {
	dir := filepath.Join(opts.StateDir, "volumes")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, explain(dir, err)
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, explain(opts.StateDir, err)
	}
	m := &Manager{store: opts.Store, logger: opts.Logger, dir: dir, held: map[string]int{}}
	if err := m.recover(ctx); err != nil {
		m.logger.Error("volumes of an earlier host were not looked through", "error", err)
	}
	return m, nil
}

// Close waits for what is done in the background.
func (m *Manager) Close() { m.wg.Wait() }

// Path returns the directory that containers with a volume see.
func (m *Manager) Path(name string) string { return filepath.Join(m.dir, name, dataDir) }

const (
	dataDir    = "_data"
	recordFile = "volume.json"
)

// hidden begins the names of directories that are no volumes. No volume's name does.
const hidden = "."

func isHidden(name string) bool { return strings.HasPrefix(name, hidden) }

// newName returns the name of a volume that has none of the user's: 64 hex digits, as docker
// makes them.
func newName() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// draft makes a hidden directory.
func (m *Manager) draft() (string, error) { return os.MkdirTemp(m.dir, hidden) }

// discard removes hidden directories in the background.
func (m *Manager) discard(paths ...string) {
	m.wg.Go(func() {
		for _, path := range paths {
			if err := os.RemoveAll(path); err != nil {
				m.logger.Warn("what is left of a volume was not removed; the next host tries it again", "path", path, "error", err)
			}
		}
	})
}

// hold keeps a volume from being removed or filled until release is called. The caller has
// the lock of the volume.
func (m *Manager) hold(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held[name]++
}

func (m *Manager) release(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held[name]--; m.held[name] == 0 {
		delete(m.held, name)
	}
}

func (m *Manager) holders(name string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held[name]
}

// record returns the record of a volume, or NotFound.
func (m *Manager) record(name string) (v *store.Volume, err error) {
	err = m.store.View(func(tx *store.Tx) error {
		v, err = tx.Volume(name)
		return err
	})
	return v, err
}

// exists reports whether there is something at a path.
func exists(path string) (bool, error) {
	err := unix.Access(path, unix.F_OK)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	return err == nil, err
}

// explain gives an error of the file system a code.
func explain(dir string, err error) error {
	if _, ok := errors.AsType[*executor.Error](err); ok {
		return err
	}
	return executor.ExplainDisk(dir, executor.Errorf(executor.Unavailable, "volumes: %w", err))
}
