package networks

import (
	"context"
	"errors"
	"net/netip"
	"os"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/usernet"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// IsUser reports whether a container has the network user: a network namespace that a program
// connects, and no address by which others find it.
func IsUser(c *store.Container) bool {
	return c.Network == ocispec.NetworkUser && len(c.Leases) == 0 && c.Joined == ""
}

// Reach returns by which addresses the machine reaches a container, if at all, the second by IPv6
// if it has one, and the path of the network namespace in which that is so; empty means the
// machine's. Where plugins give it its addresses, it has none before its start.
func (m *Manager) Reach(c *store.Container) (target, target6 netip.Addr, netns string, ok bool) {
	switch {
	case len(c.Leases) > 0:
		l := c.Leases[0]
		return l.Address, l.Address6, "", len(l.Addresses()) > 0
	case IsUser(c):
		return usernet.Address(), netip.Addr{}, m.Path(c.NetNS()), true
	}
	return target, target6, "", false
}

// checkUser checks whether a container can have the network user.
func (m *Manager) checkUser() error {
	if !m.enabled {
		return errOff()
	}
	return usernet.Check()
}

// upUser makes the network namespace of a container with the network user, as far as it is
// missing. The caller has the lock of the namespace.
func (m *Manager) upUser(id string) error {
	path := m.Path(id)
	if !pinned(path) {
		if err := pinUser(path); err != nil {
			return err
		}
	}
	return m.user.Hold(context.Background(), id, path)
}

// pinUser does what pin does, in a way in which the program can set up the namespace, if it has
// only the rights of this process.
func pinUser(path string) error {
	if usernet.MayConfigure() {
		return pin(path)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY|unix.O_NOFOLLOW, 0o400)
	if err == nil {
		err = errors.Join(f.Close(), usernet.Pin(path))
	}
	if errors.Is(err, unix.EPERM) {
		err = executor.Errorf(executor.FailedPrecondition, "%w; the host needs CAP_SYS_ADMIN for network user, and --network none and host work without", err)
	}
	return err
}

// Rest ends the program that connects a container, unless keep reports that it is to be connected
// after all. Its network namespace stays.
func (m *Manager) Rest(c *store.Container, keep func() bool) error {
	return m.user.End(context.Background(), c.ID, keep)
}

// keepUser goes on with the programs of an earlier host: those that there are of containers whose
// namespace is there are found or started again, and all others end, unless records are missing.
func (m *Manager) keepUser(containers []*store.Container) error {
	kept := map[string]bool{}
	for _, c := range containers {
		if IsUser(c) && pinned(m.Path(c.ID)) && m.user.Has(c.ID) {
			kept[c.ID] = true
			m.user.Keep(c.ID, m.Path(c.ID))
		}
	}
	ids, err := m.user.IDs()
	for _, id := range ids {
		if !kept[id] && !m.store.Info().Incomplete() {
			err = errors.Join(err, m.user.End(context.Background(), id, nil))
		}
	}
	return err
}
