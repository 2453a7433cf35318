package containers

import (
	"cmp"
	"errors"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// sharesMemory reports whether a container has shared memory that the host has made.
func sharesMemory(c *store.Container) bool { return c.IPCMode == ocispec.NamespaceShareable }

// makeShm makes the shared memory of a container that lets others have it. Each attempt
// begins with an empty one; with again it may run already.
func (m *Manager) makeShm(c *store.Container, again bool) error {
	if !sharesMemory(c) {
		return nil
	}
	return m.shm.Mount(c.ID, cmp.Or(c.ShmBytes, ocispec.DefaultShmBytes), !again)
}

// freeShm gives back the shared memory of a container that has ended. What it has not done
// when the host dies, the next host does.
func (m *Manager) freeShm(id string) {
	unlock, err := m.starts.Lock(m.ctx, id)
	if err != nil {
		return
	}
	defer unlock()
	c, err := m.record(id)
	if err == nil && ended(c) || errors.Is(err, executor.NotFound) {
		err = m.shm.Unmount(id)
	}
	if err != nil {
		m.logger.Warn("shared memory of a container that has ended was not given back", "container", id, "error", err)
	}
}

// sweepShm gives back the shared memory of containers that have ended before this host.
func (m *Manager) sweepShm() {
	if m.store.Info().Incomplete() { // what runs may have no record
		return
	}
	err := m.shm.Sweep(func(id string) bool {
		c, err := m.record(id)
		return err == nil && c.ID == id && !ended(c) || err != nil && !errors.Is(err, executor.NotFound)
	})
	if err != nil {
		m.logger.Warn("shared memory of containers that have ended was not given back", "error", err)
	}
}
