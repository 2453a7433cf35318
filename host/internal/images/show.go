package images

import (
	"cmp"
	"maps"
	"slices"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/opencontainers/go-digest"
)

// show returns what users see of an image.
func (m *Manager) show(image *store.Image, containers int) api.Image {
	return api.Image{
		ID: image.ID, Names: shortNames(image.Names), Digest: image.Manifest, Platform: image.Platform, Size: image.Size,
		CreatedAt: image.CreatedAt, AddedAt: image.AddedAt, Containers: containers,
	}
}

// users counts the containers of each image, by its id, without those that are about to be
// removed.
func users(tx *store.Tx) (map[string]int, error) {
	all, err := tx.Containers()
	n := map[string]int{}
	for _, c := range all {
		gone := c.Desired == store.WantRemoved || c.AutoRemove && (c.State == store.Released || c.State == store.Failed)
		if c.Image != nil && c.Image.Store == "" && !gone {
			n[c.Image.ID]++
		}
	}
	return n, err
}

// List returns all images, the newest first.
func (m *Manager) List() (list []api.Image, err error) {
	err = m.view(func(tx *store.Tx) error {
		all, err := tx.Images()
		if err != nil {
			return err
		}
		n, err := users(tx)
		for _, image := range all {
			list = append(list, m.show(image, n[image.ID]))
		}
		return err
	})
	slices.SortStableFunc(list, func(a, b api.Image) int { return b.AddedAt.Compare(a.AddedAt) })
	return list, err
}

// Inspect returns all about an image.
func (m *Manager) Inspect(ref string) (api.ImageDetails, error) {
	var image *store.Image
	n := map[string]int{}
	err := m.view(func(tx *store.Tx) (err error) {
		if image, _, err = find(tx, ref); err == nil {
			n, err = users(tx)
		}
		return err
	})
	if err != nil {
		return api.ImageDetails{}, err
	}
	config, err := m.config(image)
	if err != nil {
		return api.ImageDetails{}, err
	}
	d := api.ImageDetails{Image: m.show(image, n[image.ID]), Layers: []api.ImageLayer{}, Config: api.ImageConfig{
		Entrypoint: config.Config.Entrypoint, Cmd: config.Config.Cmd, Env: config.Config.Env, User: config.Config.User,
		WorkingDir: config.Config.WorkingDir, StopSignal: config.Config.StopSignal, Labels: config.Config.Labels,
		ExposedPorts: slices.SortedFunc(maps.Keys(config.Config.ExposedPorts), cmp.Compare), Volumes: slices.SortedFunc(maps.Keys(config.Config.Volumes), cmp.Compare),
	}}
	if check, err := m.healthCheck(image); err == nil {
		d.Config.HealthCheck = check
	}
	for i, l := range image.Layers {
		d.Layers = append(d.Layers, api.ImageLayer{Digest: l, DiffID: image.DiffIDs[i], Size: m.blobs.Size(digest.Digest(l))})
	}
	return d, nil
}
