package images

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/davit-run/davit/host/internal/images/manifest"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// candidate is an image whose blobs are about to be here.
type candidate struct {
	names    []string // whole ones
	manifest []byte
	config   digest.Digest
	layers   []v1.Descriptor
	event    string // is the type of that of its coming
	// commit makes blobs of its config and layers.
	commit func() error
	// arrived, if it is not nil, waits until a layer that commit has not made is a blob.
	arrived func(digest.Digest) error
}

// add makes an image of a candidate. If it fails, what was made of it is removed.
func (m *Manager) add(ctx context.Context, c candidate, progress func(api.Progress)) (_ *store.Image, err error) {
	image := &store.Image{ID: string(c.config), Names: c.names, Manifest: string(digest.FromBytes(c.manifest)), AddedAt: time.Now()}
	for _, l := range c.layers {
		image.Layers = append(image.Layers, string(l.Digest))
	}
	release := m.hold(keysOf(image)...)
	defer func() {
		release()
		if err != nil {
			m.sweepQuietly()
		}
	}()
	if err := c.commit(); err != nil {
		return nil, err
	}
	if _, err := m.blobs.Put(c.manifest); err != nil {
		return nil, err
	}
	config, err := m.config(image)
	if err != nil {
		return nil, err
	}
	image.DiffIDs = texts(config.RootFS.DiffIDs)
	image.Platform = platformOf(config).String()
	if config.Created != nil {
		image.CreatedAt = *config.Created
	}
	releaseLayers := m.hold(keysOf(image)...)
	defer releaseLayers() // before the sweep
	if err := m.unpackAll(ctx, image, c, progress); err != nil {
		return nil, err
	}
	image.Size = m.layers.Size(config.RootFS.DiffIDs)
	return image, m.update(ctx, func(tx *store.Tx) error { return record(tx, image, c.event) })
}

// record records an image, and the event of its coming. One that is there already keeps its names, and when it came.
func record(tx *store.Tx, image *store.Image, event string) error {
	came := image.Names
	old, err := tx.Image(image.ID)
	switch {
	case executor.CodeOf(err) == executor.NotFound:
	case err != nil:
		return err
	default:
		image.AddedAt = old.AddedAt
		image.Names = append(image.Names, old.Names...)
	}
	slices.Sort(image.Names)
	image.Names = slices.Compact(image.Names)
	if err := tx.PutImage(image); err != nil {
		return err
	}
	return appendEvent(tx, event, image, came...)
}

// config returns the config of an image.
func (m *Manager) config(image *store.Image) (*v1.Image, error) {
	raw, err := m.blobs.Read(digest.Digest(image.ID), manifest.MaxSize)
	if err != nil {
		return nil, err
	}
	config, err := manifest.ParseConfig(raw, len(image.Layers))
	if err != nil {
		return nil, err
	}
	if p := platformOf(config); p.OS != "linux" && !p.IsWasm() {
		return nil, executor.Errorf(executor.Unsupported, "it is an image for %s; images for linux and for WebAssembly can be run here", p)
	}
	return config, nil
}

// platformOf returns what an image was built for. Old ones do not always say so.
func platformOf(config *v1.Image) manifest.Platform {
	p, here := manifest.Of(&config.Platform), manifest.Here()
	if p.OS == "" {
		p.OS = here.OS
	}
	if p.Architecture == "" {
		p.Architecture = here.Architecture
	}
	return p
}

// unpackAll unpacks those layers of a candidate that are missing, each when its blob has come
// and those below it are unpacked. While it waits, others may unpack theirs.
func (m *Manager) unpackAll(ctx context.Context, image *store.Image, c candidate, progress func(api.Progress)) error {
	if c.arrived == nil {
		return m.unpack(ctx, image, len(image.Layers), progress)
	}
	for n := 0; n < len(c.layers); {
		if err := c.arrived(c.layers[n].Digest); err != nil {
			return err
		}
		here := func(d v1.Descriptor) bool { return m.blobs.Has(d.Digest) && m.blobs.Size(d.Digest) == d.Size }
		for n++; n < len(c.layers) && here(c.layers[n]); n++ {
		}
		if err := m.unpack(ctx, image, n, progress); err != nil {
			return err
		}
	}
	return nil
}

// unpack unpacks those of the first n layers of an image that are missing.
func (m *Manager) unpack(ctx context.Context, image *store.Image, n int, progress func(api.Progress)) error {
	if ok, err := m.layers.Has(digests(image.DiffIDs)[:n]); ok || err != nil {
		return err // without waiting for those who unpack others
	}
	layers := make([]layer.Layer, len(image.Layers))
	for i, d := range digests(image.Layers) {
		layers[i] = layer.Layer{Digest: d, DiffID: digest.Digest(image.DiffIDs[i]), Open: func() (io.ReadCloser, error) { return m.blobs.Open(d) }}
	}
	return m.layers.Make(ctx, layers[:n], func(i int) {
		progress(api.Progress{Step: api.StepUnpack, What: image.Layers[i], Done: int64(i), Total: int64(len(layers))})
	})
}
