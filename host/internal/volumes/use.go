package volumes

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Use is the volumes of a container that is being made. They stay until Release is called.
type Use struct {
	// Mounts are those of the container, with bind mounts in the place of volumes, which
	// Volumes lists.
	Mounts  []specs.Mount
	Volumes []store.VolumeMount

	manager *Manager
	records []*store.Volume // one for each volume
	made    map[string]bool // by name
}

// Use returns the volumes that mounts ask for. Those that there are not are made. root is
// the root file system of a container that is made from an image, with which new volumes
// are filled, and otherwise empty. The caller calls Release once, also if there is nothing
// to release.
func (m *Manager) Use(ctx context.Context, mounts []specs.Mount, root string) (*Use, error) {
	u := &Use{Mounts: slices.Clone(mounts), manager: m, made: map[string]bool{}}
	for i, mount := range mounts {
		if mount.Type != ocispec.TypeVolume {
			continue
		}
		v := store.VolumeMount{Name: mount.Source, Target: filepath.Clean(mount.Destination), ReadOnly: slices.Contains(mount.Options, "ro"), Anonymous: mount.Source == ""}
		if v.Anonymous {
			v.Name = newName()
		}
		from := root
		if slices.Contains(mount.Options, ocispec.OptionNoCopy) {
			from = ""
		}
		if err := u.add(ctx, v, from); err != nil {
			u.Release(err)
			return nil, err
		}
		u.Volumes = append(u.Volumes, v)
		options := []string{"rbind", "rprivate"}
		if v.ReadOnly {
			options = append(options, "ro")
		}
		u.Mounts[i] = specs.Mount{Type: "bind", Source: m.Path(v.Name), Destination: mount.Destination, Options: options}
	}
	return u, nil
}

// add makes a volume if need be, fills it if it is new, and holds it.
func (u *Use) add(ctx context.Context, v store.VolumeMount, root string) error {
	m := u.manager
	unlock, err := m.changes.Lock(ctx, v.Name)
	if err != nil {
		return err
	}
	defer unlock()
	record := &store.Volume{Name: v.Name, Anonymous: v.Anonymous, CreatedAt: time.Now()}
	made, err := m.ensure(record)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(u.records, func(r *store.Volume) bool { return r.Name == v.Name }) {
		u.records = append(u.records, record)
		u.made[v.Name] = made
		m.hold(v.Name)
	}
	if root == "" {
		return nil
	}
	idle := made
	if !made {
		idle, err = m.idle(v.Name)
	}
	if err == nil && idle {
		err = m.fill(ctx, v.Name, root, v.Target)
	}
	if err != nil {
		return executor.Errorf(executor.CodeOf(err), "volume %s at %s: what the image has there is not copied: %w", v.Name, v.Target, err)
	}
	return nil
}

// idle reports whether no container has a volume, and only one is being made with it.
func (m *Manager) idle(name string) (idle bool, err error) {
	err = m.store.View(func(tx *store.Tx) error {
		users, err := tx.VolumeUsers()
		idle = len(users[name]) == 0 && m.holders(name) == 1
		return err
	})
	return idle, err
}

// Record writes the records of volumes that have none, in the transaction that records the
// container.
func (u *Use) Record(tx *store.Tx) error {
	for _, v := range u.records {
		if err := create(tx, v); err != nil {
			return err
		}
	}
	return nil
}

// Release ends the use. Then the record of the container keeps the volumes. err is why there
// is none: what was made for it is removed, unless it is not known whether it was recorded,
// which the next host knows.
func (u *Use) Release(err error) {
	for _, v := range u.records {
		u.manager.release(v.Name)
		if u.made[v.Name] && !errors.Is(err, executor.OutcomeUnknown) {
			u.manager.Drop(v.Name)
		}
	}
}
