package images

import (
	"slices"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/davit-run/davit/host/internal/store"
)

// History returns the steps in which an image was built; see the method of host.Host.
func (m *Manager) History(ref string) ([]api.ImageStep, error) {
	var image *store.Image
	err := m.view(func(tx *store.Tx) (err error) {
		image, _, err = find(tx, ref)
		return err
	})
	if err != nil {
		return nil, err
	}
	config, err := m.config(image)
	if err != nil {
		return nil, err
	}
	var steps []api.ImageStep
	next := 0 // layer
	names := layer.Names(config.RootFS.DiffIDs)
	take := func(step *api.ImageStep) {
		if next < len(names) { // the history may tell of more
			step.Layer, step.Size = image.DiffIDs[next], m.layers.SizeOf(names[next])
			next++
		}
	}
	for _, h := range config.History {
		step := api.ImageStep{CreatedBy: h.CreatedBy, Comment: h.Comment}
		if h.Created != nil {
			step.CreatedAt = *h.Created
		}
		if !h.EmptyLayer {
			take(&step)
		}
		steps = append(steps, step)
	}
	for next < len(names) { // not all who build images write a history
		var step api.ImageStep
		take(&step)
		steps = append(steps, step)
	}
	slices.Reverse(steps)
	if len(steps) > 0 {
		steps[0].Image = image.ID
	}
	return steps, nil
}
