package networks

import (
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/usernet"
	"github.com/davit-run/davit/host/ocispec"
)

// MakesAlone reports whether the host makes the network namespaces of containers that have no
// network: those that executors make on a host without CAP_NET_ADMIN belong to the machine's user
// namespace, and then nobody may turn on the loopback in them. With less than CAP_SYS_ADMIN no
// namespace can be made at all.
func (m *Manager) MakesAlone() bool {
	return m.enabled && !usernet.MayConfigure() && usernet.MayPin()
}

// Alone returns what the spec of a container without a network has as its network namespace, if
// the host makes that: see MakesAlone.
func (m *Manager) Alone(mode, id string) (path string, ok bool) {
	if mode != "" && mode != ocispec.NetworkNone || !m.MakesAlone() {
		return "", false
	}
	return m.Path(id), true
}

// upAlone makes the network namespace of a container with a loopback and nothing else, as far as
// it is missing. The caller has the lock of the namespace.
func (m *Manager) upAlone(c *store.Container) error {
	path := m.Path(c.ID)
	if !pinned(path) {
		if err := pinUser(path); err != nil {
			return err
		}
	}
	space, err := enter(c.ID, path) // turns on the loopback
	if err == nil {
		space.close()
	}
	return err
}
