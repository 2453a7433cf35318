package containers

import (
	"context"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/volumes"
)

// makeVolumes makes the volumes that a container is to have, and puts bind mounts in their
// place in opts. Those that are new get what the container's image has there.
func (m *Manager) makeVolumes(ctx context.Context, opts *api.ContainerOptions, fromImage bool) (*volumes.Use, error) {
	if err := opts.Process.Validate(); err != nil {
		return nil, err
	}
	root := ""
	if fromImage {
		root = opts.Rootfs
	}
	use, err := m.volumes.Use(ctx, opts.Process.Mounts, root)
	if err == nil {
		opts.Process.Mounts = use.Mounts
	}
	return use, err
}

// removedVolumes returns the volumes that are removed with a container.
func removedVolumes(c *store.Container) (names []string) {
	if !c.AutoRemove && !c.RemoveVolumes {
		return nil
	}
	for _, v := range c.Volumes {
		if v.Anonymous {
			names = append(names, v.Name)
		}
	}
	return names
}

// wantVolumesRemoved records that the anonymous volumes of a container are removed with it.
func (m *Manager) wantVolumesRemoved(ctx context.Context, id string) error {
	return m.store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Container(id)
		if err != nil {
			return err
		}
		c.RemoveVolumes = true
		return tx.PutContainer(c)
	})
}
