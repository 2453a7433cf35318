package containers

import (
	"context"
	"errors"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// Remove is RemoveWith without options but force.
func (m *Manager) Remove(ctx context.Context, reference string, force bool) error {
	return m.RemoveWith(ctx, reference, api.RemoveOptions{Force: force})
}

// RemoveWith removes a container that has ended, with its output. With Force, a container
// that has not ended is killed first, and the start of one that is being created is cut
// short; otherwise the error is [executor.FailedPrecondition]. The error is an
// [api.PendingError] if the backend does not answer: it is removed later.
func (m *Manager) RemoveWith(ctx context.Context, reference string, opts api.RemoveOptions) error {
	c, err := m.record(reference)
	if err != nil {
		return err
	}
	if !ended(c) && !opts.Force {
		return executor.Errorf(executor.FailedPrecondition, "container %s is %s; stop it first, or force its removal", reference, c.State)
	}
	if opts.Volumes {
		if err := m.wantVolumesRemoved(ctx, c.ID); err != nil {
			return err
		}
	}
	if opts.Force && len(c.Attachments) > 0 {
		if err := m.forceRemoval(ctx, c.ID); err != nil {
			return err
		}
	}
	return m.carryOn(c.ID, func() error { return m.endAndRemove(ctx, c) })
}

// endAndRemove removes a container, which is killed first if it has not ended.
func (m *Manager) endAndRemove(ctx context.Context, c *store.Container) (err error) {
	if !ended(c) {
		// The intent is on disk before the backend is asked, which may not answer.
		if c, err = m.setDesired(ctx, c.ID, store.WantRemoved); err != nil {
			return err
		}
		if err = m.end(ctx, c); err != nil {
			return m.pending(ctx, c, "removal", err)
		}
	}
	if err = m.remove(ctx, c.ID); err != nil {
		return m.pending(ctx, c, "removal", err)
	}
	return nil
}

// end kills a container that has not ended, or cuts its start short.
func (m *Manager) end(ctx context.Context, c *store.Container) error {
	if c.State == store.Creating {
		if err := m.endStart(ctx, c); err != nil {
			return err
		}
		if _, err := m.record(c.ID); errors.Is(err, executor.NotFound) {
			return nil
		}
	}
	return m.killAndWait(ctx, c)
}

// remove removes what is left of a container that has ended. It records the intent
// first, so that an interrupted removal is completed later.
func (m *Manager) remove(ctx context.Context, id string) error {
	c, err := m.setDesired(ctx, id, store.WantRemoved)
	if errors.Is(err, executor.NotFound) {
		return nil // somebody else was faster
	}
	if err != nil {
		return err
	}
	// Wait for a create that is under way. If the delete overtook it, the create would
	// find nothing and start the container once more.
	unlock, err := m.starts.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	if c.Attempt == 0 { // the backend has never heard of it
		return m.removeState(context.WithoutCancel(ctx), id)
	}
	session, err := m.backends.Session(ctx, c.Backend)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if _, err := backends.On(ctx, session, transport.MethodDelete, c.Ref()); err != nil {
		return err
	}
	return m.removeState(ctx, id)
}

// removeState removes the output and the record of a container of which nothing is left
// on its backend.
func (m *Manager) removeState(ctx context.Context, id string) error {
	if c, err := m.record(id); err == nil {
		m.outputs.Untrack(c.Ref())
		if len(c.Publish) > 0 {
			if err := m.ports.End(ctx, id, nil); err != nil {
				return err
			}
		}
	}
	// Nobody who shares its files for /etc may make them again meanwhile.
	unlock, err := m.lockEtc(id)
	if err != nil {
		return err
	}
	defer unlock()
	left, err := m.releaseNetwork(ctx, id)
	if err != nil {
		return err
	}
	if err := m.removeFiles(id); err != nil {
		return err
	}
	if c, err := m.record(id); err == nil {
		m.freeRoot(ctx, c)
	}
	var execs []*store.Exec
	var dropped []string
	var leases []store.Lease
	netns := id
	err = m.store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Container(id)
		if errors.Is(err, executor.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if execs, err = tx.Execs(id); err != nil {
			return err
		}
		dropped, leases, netns = removedVolumes(c), c.Leases, c.NetNS()
		if err := errors.Join(tx.RemoveContainer(id), m.volumes.RemoveRecords(tx, dropped)); err != nil {
			return err
		}
		return appendEvent(tx, api.EventRemoved, c, left)
	})
	for _, e := range execs {
		m.outputs.Untrack(e.Ref)
		m.notify(e.Ref, nil)
	}
	for _, name := range dropped {
		m.volumes.Drop(name) // none that has a record
	}
	if err == nil {
		if serr := m.shm.Unmount(id); serr != nil {
			m.logger.Warn("shared memory of a container was not removed; the next host tries it again", "container", id, "error", serr)
		}
		if derr := m.networks.Down(netns); derr != nil {
			m.logger.Warn("the network of a container was not removed; the next host tries it again", "container", id, "error", derr)
		}
		if len(leases) > 0 {
			m.networks.Forget(leases)
			m.keepLeaseHolder(netns)
		}
		m.syncHosts(leases)
	}
	return err
}

// pin keeps a container from being removed automatically until unpin is called. The
// caller still reads its output or waits for its exit.
func (m *Manager) pin(id string) (unpin func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pins[id]++
	return func() {
		m.mu.Lock()
		m.pins[id]--
		free := m.pins[id] == 0
		if free {
			delete(m.pins, id)
		}
		m.mu.Unlock()
		if free {
			if c, err := m.record(id); err == nil && c.AutoRemove && ended(c) && c.State != store.Created {
				m.removeWhenFree(id, 0)
			}
		}
	}
}

// lingerTime returns how long from now a container with automatic removal is kept for
// clients that followed it at an earlier host.
func (m *Manager) lingerTime(c *store.Container) time.Duration {
	if c.CreatedAt.After(m.opened) {
		return 0
	}
	return time.Until(m.opened.Add(m.opts.Linger))
}

// removeWhenFree removes a container in the background after a while. If it is pinned
// then, the last unpin removes it.
func (m *Manager) removeWhenFree(id string, after time.Duration) {
	m.background(func() {
		select {
		case <-time.After(after):
		case <-m.ctx.Done():
			return
		}
		m.mu.Lock()
		pinned := m.pins[id] > 0
		m.mu.Unlock()
		if pinned {
			return
		}
		if err := m.remove(m.ctx, id); err != nil && m.ctx.Err() == nil {
			m.logger.Warn("automatic removal failed; it is tried again when the backend reconnects", "container", id, "error", err)
		}
	})
}
