package ports

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// Serves reports whether the ports of a container are held: by a process that is one of an
// earlier host's, was started, or has died and is made anew. It is false from before they
// become free, and where they could not be held again.
func (m *Manager) Serves(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.served[id]
}

// serve sets what Serves returns.
func (m *Manager) serve(id string, held bool) {
	m.mu.Lock()
	changed := m.served[id] != held
	if held {
		m.served[id] = true
	} else {
		delete(m.served, id)
	}
	m.mu.Unlock()
	if changed {
		m.opts.Changed()
	}
}

// findHolders returns the containers that have a holder of an earlier host. It is called while
// no holder is started or ended.
func (m *Manager) findHolders() map[string]bool {
	found := map[string]bool{}
	ids, err := m.IDs()
	if err != nil {
		return found // who asks for them later says so
	}
	for _, id := range ids {
		lock, err := linux.Open(filepath.Join(m.dir, id, lockFile), os.O_RDWR)
		if err != nil {
			continue
		}
		if errors.Is(linux.Lock(lock, 0), unix.EWOULDBLOCK) {
			found[id] = true
		}
		_ = lock.Close()
	}
	return found
}
