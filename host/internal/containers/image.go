package containers

import (
	"context"
	"slices"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// makeRoot makes the root file system of a container that is made from an image, or over a
// directory, and puts into opts where it is, and what they leave open. For all others it
// does nothing.
func (m *Manager) makeRoot(ctx context.Context, id string, opts *api.ContainerOptions) (*store.ImageRef, error) {
	roots := m.images.Roots()
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	if opts.RootfsOverlay {
		if err := roots.CreateOver(id, opts.Rootfs); err != nil {
			return nil, err
		}
		opts.RootfsOverlay, opts.Rootfs = false, roots.Path(id)
	}
	if opts.Image == "" {
		return nil, nil
	}
	if on, err := m.fromBackend(opts); on || err != nil {
		if err != nil {
			return nil, err
		}
		return m.makeBackendRoot(ctx, id, opts)
	}
	opts.ImageStore = ""
	use, err := m.images.Use(ctx, opts.Image)
	if err != nil {
		return nil, err
	}
	defer use.Release() // then the root file system says what it needs
	entrypoint := use.Entrypoint(opts)
	if err := use.Complete(opts); err != nil {
		return nil, executor.Errorf(executor.CodeOf(err), "image %q: %w", opts.Image, err)
	}
	if err := roots.Create(id, use.Layers); err != nil {
		return nil, err
	}
	if opts.Process.Cwd != "" {
		if err := roots.MakeDir(id, opts.Process.Cwd); err != nil {
			_ = roots.Remove(id) // the first error is the cause
			return nil, err
		}
	}
	ref := &store.ImageRef{ID: use.Image.ID, Name: opts.Image, User: opts.Process.User, Entrypoint: new(len(entrypoint))}
	opts.Image, opts.Entrypoint, opts.Rootfs = "", nil, roots.Path(id)
	return ref, nil
}

// removeFiles removes the output and the root file system of a container.
func (m *Manager) removeFiles(id string) error {
	had := m.images.Roots().Has(id)
	if err := m.outputs.Remove(id); err != nil {
		return err
	}
	if !had {
		return nil
	}
	if err := m.images.Roots().Remove(id); err != nil {
		return err
	}
	m.images.Free()
	return nil
}

// removeLost removes the files of a container without a record, and the root file system
// that a backend has for it.
func (m *Manager) removeLost(ctx context.Context, id string) error {
	c, _, err := m.readCopy(id)
	if err != nil {
		c = nil // and what a backend has is removed by its next reconcile
	}
	if err := m.removeFiles(id); err != nil {
		return err
	}
	m.freeRoot(ctx, c)
	return nil
}

// unmakeRoot removes the root file system of a container that is not made after all.
func (m *Manager) unmakeRoot(ctx context.Context, id, backend string, image *store.ImageRef) error {
	if image != nil && image.Store == store.StoreBackend {
		m.dropRoot(ctx, backend, id)
	}
	return m.images.Roots().Remove(id)
}

// removeLostRoots removes the root file systems of containers of which nothing else is
// left: a host was killed while it made or removed them.
func (m *Manager) removeLostRoots() {
	ids, err := m.images.Roots().IDs()
	if err != nil {
		m.logger.Warn("root file systems without a container were not looked for", "error", err)
		return
	}
	if len(ids) == 0 || m.store.Info().Incomplete() {
		return
	}
	records, err := m.records()
	if err != nil {
		m.logger.Warn("root file systems without a container were not looked for", "error", err)
		return
	}
	ids = slices.DeleteFunc(ids, func(id string) bool {
		return m.outputs.Has(id) || slices.ContainsFunc(records, func(c *store.Container) bool { return c.ID == id })
	})
	m.background(func() {
		for _, id := range ids {
			if err := m.images.Roots().Remove(id); err != nil {
				m.logger.Warn("a root file system without a container was not removed", "container", id, "error", err)
			}
		}
	})
}
