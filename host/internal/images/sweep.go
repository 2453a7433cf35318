package images

import (
	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/opencontainers/go-digest"
)

// A key of what is held or needed is the digest of a blob or the name of a layer, which
// are never the same.

// keysOf returns what an image needs.
func keysOf(image *store.Image) []string {
	keys := append([]string{image.ID, image.Manifest}, image.Layers...)
	return append(keys, layer.Names(digests(image.DiffIDs))...)
}

func digests(texts []string) []digest.Digest {
	all := make([]digest.Digest, len(texts))
	for i, text := range texts {
		all[i] = digest.Digest(text)
	}
	return all
}

func texts(all []digest.Digest) []string {
	list := make([]string, len(all))
	for i, d := range all {
		list[i] = string(d)
	}
	return list
}

// needed returns all that must be kept. Without an error nothing is missing in it.
func (m *Manager) needed() (map[string]bool, error) {
	keys, err := m.roots.Layers()
	if err != nil {
		return nil, err
	}
	err = m.view(func(tx *store.Tx) error {
		all, err := tx.Images()
		for _, image := range all {
			for _, key := range keysOf(image) {
				keys[key] = true
			}
		}
		return err
	})
	return keys, err
}

// Sweep removes the blobs and layers that nothing needs, and returns how much was freed, in
// bytes. It takes them away at once, and removes them in the background.
func (m *Manager) Sweep() (freed int64, err error) {
	freed, gone, err := m.sweep()
	m.wg.Go(func() { m.discard(gone) })
	return freed, err
}

func (m *Manager) sweep() (freed int64, gone []string, err error) {
	// Nobody can begin to hold something meanwhile.
	m.mu.Lock()
	defer m.mu.Unlock()
	needed, err := m.needed()
	if err != nil {
		return 0, nil, err
	}
	blobs, err := m.blobs.List()
	if err != nil {
		return 0, nil, err
	}
	layers, err := m.layers.List()
	if err != nil {
		return 0, nil, err
	}
	keep := func(key string) bool { return needed[key] || m.held[key] > 0 }
	for _, d := range blobs {
		if keep(string(d)) {
			continue
		}
		size := m.blobs.Size(d)
		if err := m.blobs.Remove(d); err != nil {
			return freed, gone, err
		}
		freed += size
	}
	for _, name := range layers {
		if keep(name) {
			continue
		}
		size := m.layers.SizeOf(name)
		at, err := m.layers.Remove(name)
		if err != nil {
			return freed, gone, err
		}
		gone, freed = append(gone, at), freed+size
	}
	return freed, gone, nil
}

// sweepQuietly sweeps where a fault is no reason to fail.
func (m *Manager) sweepQuietly() {
	if _, err := m.Sweep(); err != nil {
		m.logger.Warn("unused images were not removed from disk", "error", err)
	}
}
