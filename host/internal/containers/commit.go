package containers

import (
	"context"
	"io"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// Commit makes an image of what a container has changed of its image; see the method of
// host.Host.
func (m *Manager) Commit(ctx context.Context, reference string, opts api.CommitOptions) (api.Image, error) {
	l, err := m.ownLayer(reference)
	if err != nil {
		return api.Image{}, err
	}
	defer l.unpin()
	c := l.container
	if c.Image == nil {
		return api.Image{}, executor.Errorf(executor.FailedPrecondition, "container %s was made over a directory, of which there is no image; use davit export and davit import", c.ID)
	}
	return m.images.Commit(ctx, c.Image.ID, opts, func(w io.Writer) error {
		return m.images.Roots().Pack(ctx, w, c.ID, l.mounted)
	})
}
