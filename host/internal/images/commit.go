package images

import (
	"context"
	"crypto/sha256"
	"io"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/blob"
	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/davit-run/davit/host/internal/images/manifest"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/klauspost/compress/gzip"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Commit makes an image of another one, by its id, and of a layer over it, whose archive
// pack writes. ran is what the container was given.
func (m *Manager) Commit(ctx context.Context, id string, opts api.CommitOptions, ran Ran, pack func(io.Writer) error) (api.Image, error) {
	names, err := normalNames(opts.Name)
	if err != nil {
		return api.Image{}, err
	}
	var base *store.Image
	err = m.view(func(tx *store.Tx) (err error) {
		base, err = tx.Image(id)
		return err
	})
	if executor.CodeOf(err) == executor.NotFound {
		return api.Image{}, executor.Errorf(executor.FailedPrecondition, "image %s, from which the container was made, is not here any more; pull or load it again", short(id))
	}
	if err != nil {
		return api.Image{}, err
	}
	release, err := m.keep(base)
	if err != nil {
		return api.Image{}, err
	}
	defer release()
	draft, err := m.blobs.Create()
	if err != nil {
		return api.Image{}, err
	}
	defer draft.Abort()
	diffID, err := zip(ctxWriter{ctx, draft}, pack)
	if err != nil {
		return api.Image{}, err
	}
	image, err := m.over(ctx, base, names, draft, func(image *v1.Image) error { return extend(image, diffID, opts, ran) })
	if err != nil {
		return api.Image{}, err
	}
	return m.show(image, 0), nil
}

// zip writes what pack writes, compressed, and returns the digest of what it was before.
func zip(w io.Writer, pack func(io.Writer) error) (digest.Digest, error) {
	z, sum := gzip.NewWriter(w), sha256.New()
	if err := pack(io.MultiWriter(z, sum)); err != nil {
		return "", err
	}
	return digest.NewDigest(digest.SHA256, sum), z.Close()
}

// extend puts a layer into the config of an image, what a container was given, and what opts
// say.
func extend(image *v1.Image, diffID digest.Digest, opts api.CommitOptions, ran Ran) error {
	now := time.Now().UTC()
	image.Created, image.Author = &now, opts.Author
	layers := 0
	for _, h := range image.History {
		if !h.EmptyLayer {
			layers++
		}
	}
	for range len(image.RootFS.DiffIDs) - layers { // those who built it have told less
		image.History = append(image.History, v1.History{})
	}
	image.RootFS.DiffIDs = append(image.RootFS.DiffIDs, diffID)
	image.History = append(image.History, v1.History{Created: &now, Author: opts.Author, CreatedBy: "davit commit", Comment: opts.Message})
	ran.apply(&image.Config)
	return manifest.ChangeAll(&image.Config, opts.Changes)
}

// over adds an image with the layers of base and one more, whose config edit makes of that
// of base.
func (m *Manager) over(ctx context.Context, base *store.Image, names []string, draft *blob.Draft, edit func(*v1.Image) error) (*store.Image, error) {
	if len(base.Layers) >= layer.Max {
		return nil, executor.Errorf(executor.FailedPrecondition, "the image has %d layers, and no more are supported; make one layer of them with davit export and davit import", len(base.Layers))
	}
	raw, err := m.blobs.Read(digest.Digest(base.ID), manifest.MaxSize)
	if err != nil {
		return nil, err
	}
	config, err := manifest.Edit(raw, edit)
	if err != nil {
		return nil, err
	}
	below, err := m.blobs.Read(digest.Digest(base.Manifest), manifest.MaxSize)
	if err != nil {
		return nil, err
	}
	document, err := manifest.Parse(below)
	if err != nil {
		return nil, err
	}
	layers := make([]v1.Descriptor, len(document.Manifest.Layers), len(document.Manifest.Layers)+1)
	for i, l := range document.Manifest.Layers {
		layers[i] = manifest.AsOCI(l)
	}
	layers = append(layers, v1.Descriptor{MediaType: v1.MediaTypeImageLayerGzip, Digest: draft.Digest(), Size: draft.Size()})
	return m.addLayer(ctx, api.EventImageCommitted, names, v1.MediaTypeImageConfig, config, layers, draft, reporter(nil))
}
