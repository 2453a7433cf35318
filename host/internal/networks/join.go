package networks

import (
	"errors"
	"strings"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// Join returns the network of a container that asks for that of another: with mode
// container:NAME, or an id, it is container:ID with the id of the container after which the
// network namespace is named. All other modes are returned as they are. other is a container
// that has the namespace; it need not run. name is that of the container that asks.
func (m *Manager) Join(mode, name string) (resolved string, other *store.Container, err error) {
	reference, ok := strings.CutPrefix(mode, ocispec.NetworkContainer)
	if !ok {
		return mode, nil, nil
	}
	fail := func(code executor.Code, format string, args ...any) (string, *store.Container, error) {
		return "", nil, executor.Errorf(code, "network %s: "+format, append([]any{mode}, args...)...)
	}
	if reference == "" {
		return fail(executor.Invalid, "the container is missing; write container:NAME")
	}
	err = m.store.View(func(tx *store.Tx) (err error) {
		other, err = tx.Find(reference)
		return err
	})
	switch {
	case errors.Is(err, executor.NotFound) && reference == name:
		return fail(executor.Invalid, "a container cannot have its own network as that of another; name another one")
	case errors.Is(err, executor.NotFound):
		return fail(executor.NotFound, "there is no container %q; davit ps -a lists them", reference)
	case err != nil:
		return "", nil, err
	case len(other.Leases) > 0 || other.Unconnected || other.Joined != "":
	case other.Network == ocispec.NetworkHost:
		return fail(executor.FailedPrecondition, "container %s has that of this machine; use --network host", reference)
	case named(other.Network):
		return fail(executor.FailedPrecondition, "container %s has lost its address, with the state of the host; make it again", reference)
	default:
		return fail(executor.FailedPrecondition, "container %s has a network namespace that only its backend (%s) knows, anew for each start; make it with --network and the name of a network, which may be an internal one", reference, other.Backend)
	}
	if !m.enabled {
		return "", nil, errOff()
	}
	return ocispec.NetworkContainer + other.NetNS(), other, nil
}

// Leases returns the addresses of a container's network namespace, as they are recorded now.
// Those of one that has joined that of another are in the record of one that has it.
func (m *Manager) Leases(c *store.Container) (leases []store.Lease, err error) {
	if c.Joined == "" && len(c.Leases) == 0 {
		return nil, nil
	}
	err = m.store.View(func(tx *store.Tx) error {
		holder, err := tx.LeaseHolder(c.NetNS())
		if err == nil {
			leases = holder.Leases
		}
		return err
	})
	if errors.Is(err, executor.NotFound) && c.Joined != "" {
		err = executor.Errorf(executor.FailedPrecondition, "the network of container %s is that of container %s, of which the address is lost, with the state of the host; make both again", c.ID, c.Joined)
	}
	return leases, err
}
