package volumes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// Remove removes a volume; see the method of host.Host.
func (m *Manager) Remove(ctx context.Context, name string) error {
	unlock, err := m.changes.Lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	err = m.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if _, err := tx.Volume(name); err != nil {
			return err
		}
		users, err := tx.VolumeUsers()
		switch {
		case err != nil:
			return err
		case len(users[name]) > 0:
			return executor.Errorf(executor.FailedPrecondition, "volume %s is used by %s; remove that first", name, namesOf(users[name]))
		case m.holders(name) > 0:
			return executor.Errorf(executor.FailedPrecondition, "volume %s is used by a container that is being made; remove that first", name)
		}
		return remove(tx, name)
	})
	if err != nil {
		return err
	}
	m.drop(name)
	return nil
}

// namesOf returns how a message calls containers.
func namesOf(all []*store.Container) string {
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = c.ID
		if c.Name != "" {
			names[i] = c.Name
		}
	}
	what := "container "
	if len(names) > 1 {
		what = "containers "
	}
	return what + strings.Join(names, ", ")
}

// RemoveRecords removes the records of volumes of a container that is being removed, in the
// same transaction, unless other containers have them. Then Drop removes their directories.
func (m *Manager) RemoveRecords(tx *store.Tx, names []string) error {
	if len(names) == 0 {
		return nil
	}
	users, err := tx.VolumeUsers()
	if err != nil {
		m.logger.Warn("volumes of a container are kept, since it is not known who else has them", "volumes", names, "error", err)
		return nil
	}
	for _, name := range names {
		if len(users[name]) > 0 || m.holders(name) > 0 {
			continue
		}
		if err := remove(tx, name); err != nil {
			return err
		}
	}
	return nil
}

// Drop removes the directory of a volume that has no record, unless a container is being
// made with it.
func (m *Manager) Drop(name string) {
	unlock, err := m.changes.Lock(context.Background(), name)
	if err != nil {
		return
	}
	defer unlock()
	m.drop(name)
}

// drop does what Drop does. The caller has the lock of the volume.
func (m *Manager) drop(name string) {
	if _, err := m.record(name); !errors.Is(err, executor.NotFound) || m.holders(name) > 0 {
		return
	}
	if err := m.retire(name); err != nil {
		m.logger.Warn("a volume without a record is not removed; the next host looks at it", "volume", name, "error", err)
	}
}

// retire takes the name from the directory of a volume, and removes it in the background.
func (m *Manager) retire(name string) error {
	draft, err := m.draft()
	if err != nil {
		return err
	}
	defer m.discard(draft)
	err = os.Rename(filepath.Join(m.dir, name), filepath.Join(draft, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return errors.Join(err, linux.SyncDir(m.dir))
}

// Prune removes volumes that no container has; see the method of host.Host.
func (m *Manager) Prune(ctx context.Context, opts api.PruneVolumesOptions) (api.PrunedVolumes, error) {
	all, err := m.List()
	if err != nil {
		return api.PrunedVolumes{}, err
	}
	done := api.PrunedVolumes{Volumes: []api.Volume{}}
	all = slices.DeleteFunc(all, func(v api.Volume) bool { return len(v.Containers) > 0 || !v.Anonymous && !opts.All })
	var failed error
	for _, v := range all {
		size := m.size(v.Name)
		if !opts.DryRun {
			err := m.Remove(ctx, v.Name)
			if errors.Is(err, executor.FailedPrecondition) || errors.Is(err, executor.NotFound) {
				continue // it came into use, or somebody else was faster
			}
			if err != nil {
				failed = errors.Join(failed, err)
				continue
			}
		}
		done.Volumes, done.Bytes = append(done.Volumes, v), done.Bytes+size
	}
	return done, failed
}

// remove removes the record of a volume, if there is one.
func remove(tx *store.Tx, name string) error {
	if _, err := tx.Volume(name); errors.Is(err, executor.NotFound) {
		return nil
	}
	if err := tx.RemoveVolume(name); err != nil {
		return err
	}
	return appendEvent(tx, api.EventVolumeRemoved, name)
}
