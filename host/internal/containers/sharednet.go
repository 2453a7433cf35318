package containers

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// shareEtc gives a container that has joined the network namespace of another the same files
// for /etc. They are links to one file, which lasts for as long as a container has it: what
// one of them changes, and the names that the host adds, all of them see.
func (m *Manager) shareEtc(c *store.Container, spec json.RawMessage) error {
	names, _, err := m.etcOf(c.ID, spec)
	if err != nil || len(names) == 0 {
		return err
	}
	first, others, err := m.sharers(c)
	if err != nil {
		return err
	}
	if first != nil { // it may not have been started yet
		if err := m.writeEtc(first.record, first.spec); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(m.etcDir(c.ID), 0o700); err != nil {
		return err
	}
	for _, name := range names {
		if err := m.linkEtc(c.ID, others, name); err != nil {
			return err
		}
	}
	// What none of them has, it has alone.
	own := *c
	if own.Leases, err = m.networks.Leases(c); err != nil {
		return err
	}
	return m.writeEtc(&own, spec)
}

// linkEtc links a file for /etc of a container to that of one of the others, if it lacks it and
// one of them has it.
func (m *Manager) linkEtc(id string, others []string, name string) error {
	to := filepath.Join(m.etcDir(id), name)
	for _, other := range others {
		err := os.Link(filepath.Join(m.etcDir(other), name), to)
		switch {
		case err == nil, errors.Is(err, fs.ErrExist):
			return nil
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	return nil
}

// specified is a container with its spec.
type specified struct {
	record *store.Container
	spec   json.RawMessage
}

// sharers returns the container that a network namespace is named after, or nil if it was
// removed, and the ids of all that have the namespace, apart from c.
func (m *Manager) sharers(c *store.Container) (first *specified, others []string, err error) {
	err = m.store.View(func(tx *store.Tx) error {
		if others, err = tx.Sharers(c.NetNS()); err != nil {
			return err
		}
		others = slices.DeleteFunc(others, func(id string) bool { return id == c.ID })
		record, err := tx.Container(c.NetNS())
		if errors.Is(err, executor.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		spec, err := tx.Spec(record.ID)
		first = &specified{record, spec}
		return err
	})
	return first, others, err
}

// lockEtc waits until nobody makes files for /etc of a container, or of one that shares them.
func (m *Manager) lockEtc(id string) (unlock func(), err error) {
	netns := id
	if c, err := m.record(id); err == nil {
		netns = c.NetNS()
	}
	return m.etcs.Lock(context.WithoutCancel(m.ctx), netns)
}

// keepLeaseHolder writes the copy of the container that has got the addresses of one that is removed,
// since it has the same network namespace.
func (m *Manager) keepLeaseHolder(netns string) {
	var holder *store.Container
	err := m.store.View(func(tx *store.Tx) (err error) {
		holder, err = tx.LeaseHolder(netns)
		return err
	})
	if err == nil {
		m.keepCopy(holder.ID)
	}
}
