package containers

import (
	"context"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
)

// Rename gives a container another name. The error for a name that is another container's
// is [executor.AlreadyExists].
func (m *Manager) Rename(ctx context.Context, reference, name string) error {
	if err := ocispec.ValidateName(name); err != nil {
		return err
	}
	c, err := m.record(reference)
	if err != nil || c.Name == name {
		return err
	}
	err = m.store.Update(ctx, func(tx *store.Tx) error {
		now, err := tx.Container(c.ID)
		if err != nil {
			return err
		}
		old := now.Name
		now.Name = name
		if err := tx.PutContainer(now); err != nil {
			return err
		}
		return appendEvent(tx, api.EventRenamed, now, map[string]string{"old": old, "new": name})
	})
	if err == nil {
		m.keepCopy(c.ID)
		m.syncHosts(c.Leases)
	}
	return err
}
