package containers

import (
	"context"
	"path"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

var changeKinds = map[layer.Kind]api.ChangeKind{
	layer.Added: api.ChangeAdded, layer.Changed: api.ChangeChanged, layer.Deleted: api.ChangeDeleted,
}

// Diff returns what a container has changed of its image.
func (m *Manager) Diff(ctx context.Context, reference string) ([]api.Change, error) {
	l, err := m.ownLayer(reference)
	if err != nil {
		return nil, err
	}
	defer l.unpin()
	found, err := m.images.Roots().Changes(ctx, l.container.ID, l.mounted)
	if err != nil {
		return nil, err
	}
	list := make([]api.Change, len(found))
	for i, f := range found {
		list[i] = api.Change{Path: f.Path, Kind: changeKinds[f.Kind]}
	}
	return list, nil
}

// ownLayer is what a container has written over its image.
type ownLayer struct {
	container *store.Container
	unpin     func() // is called once
	// mounted reports whether the runtime has made a path for what is mounted there.
	mounted func(path string) bool
}

func (m *Manager) ownLayer(reference string) (ownLayer, error) {
	c, spec, err := m.specOf(reference)
	if err != nil {
		return ownLayer{}, err
	}
	if c.RootOnBackend() {
		return ownLayer{}, errLayersElsewhere(c)
	}
	unpin := m.pin(c.ID)
	if !m.images.Roots().Has(c.ID) {
		unpin()
		return ownLayer{}, executor.Errorf(executor.FailedPrecondition, "container %s was not made from an image, so it has no layer of its own: it writes to its root file system itself", c.ID)
	}
	made := map[string]bool{}
	for _, mount := range spec.Mounts {
		made[path.Clean("/"+mount.Destination)] = true
	}
	return ownLayer{c, unpin, func(path string) bool { return made[path] }}, nil
}

// errLayersElsewhere returns the error for what needs the layers of an image apart from each
// other.
func errLayersElsewhere(c *store.Container) error {
	return executor.Errorf(executor.Unsupported, "container %s was made from an image of backend %s, which alone has its layers: what the container has changed cannot be told from them; use davit export, and davit import", c.ID, c.Backend)
}
