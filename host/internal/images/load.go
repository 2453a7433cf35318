package images

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/archive"
	"github.com/davit-run/davit/host/internal/images/blob"
	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/davit-run/davit/host/internal/images/manifest"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// counted is a reader that reports how much was read.
type counted struct {
	r        io.Reader
	n        int64
	progress func(api.Progress)
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.progress(api.Progress{Step: api.StepRead, Done: c.n})
	return n, err
}

// reporter returns a function that can be called.
func reporter(progress func(api.Progress)) func(api.Progress) {
	if progress == nil {
		return func(api.Progress) {}
	}
	return progress
}

// Load loads the images of an archive; see the method of host.Host.
func (m *Manager) Load(ctx context.Context, r io.Reader, opts api.LoadOptions, progress func(api.Progress)) ([]api.Image, error) {
	progress = reporter(progress)
	platform, err := manifest.ParsePlatform(opts.Platform)
	if err != nil {
		return nil, err
	}
	a, err := archive.Read(ctx, &counted{r: r, progress: progress}, m.blobs)
	if err != nil {
		return nil, explainLoad(err)
	}
	defer a.Close()
	images, err := a.Images(platform)
	if err != nil {
		return nil, explainLoad(err)
	}
	candidates := make([]candidate, len(images)) // all names are checked before anything is made
	for n, i := range images {
		candidates[n] = candidate{event: api.EventImageLoaded, manifest: i.Manifest, config: i.Config, layers: i.Layers, commit: i.Commit}
		for _, name := range i.Names {
			whole, err := normalName(name)
			if err != nil {
				return nil, explainLoad(err)
			}
			candidates[n].names = append(candidates[n].names, whole)
		}
	}
	var loaded []api.Image
	for _, c := range candidates {
		image, err := m.add(ctx, c, progress)
		if err != nil {
			return nil, explainLoad(err)
		}
		loaded = append(loaded, m.show(image, 0))
	}
	return loaded, nil
}

func explainLoad(err error) error {
	return executor.Errorf(executor.CodeOf(err), "archive: %w", err)
}

// Import makes an image of a root file system; see the method of host.Host.
func (m *Manager) Import(ctx context.Context, r io.Reader, opts api.ImportOptions, progress func(api.Progress)) (api.Image, error) {
	progress = reporter(progress)
	platform, err := manifest.ParsePlatform(opts.Platform)
	if err != nil {
		return api.Image{}, err
	}
	names, err := normalNames(opts.Name)
	if err != nil {
		return api.Image{}, err
	}
	image, err := m.importLayer(ctx, &counted{r: r, progress: progress}, platform, names, opts, progress)
	if err != nil {
		return api.Image{}, explainLoad(err)
	}
	return m.show(image, 0), nil
}

// importLayer makes an image with one layer.
func (m *Manager) importLayer(ctx context.Context, r io.Reader, platform manifest.Platform, names []string, opts api.ImportOptions, progress func(api.Progress)) (*store.Image, error) {
	draft, err := m.blobs.Create()
	if err != nil {
		return nil, err
	}
	defer draft.Abort()
	if _, err := io.Copy(draft, ctxReader{ctx, r}); err != nil {
		return nil, err
	}
	diffID, head, err := diffIDOf(ctx, draft)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	if layer.IsModule(head) {
		given := slices.Concat(opts.Changes, []string{opts.Message})
		if given[0] != "" {
			return nil, executor.Errorf(executor.Invalid, "it is a WebAssembly module, which becomes an image without a config; leave out %q", given[0])
		}
		config, err := manifest.NewWasm(diffID, now)
		if err != nil {
			return nil, err
		}
		layers := []v1.Descriptor{{MediaType: manifest.WasmLayer, Digest: draft.Digest(), Size: draft.Size()}}
		return m.addLayer(ctx, api.EventImageImported, names, manifest.WasmConfig, config, layers, draft, progress)
	}
	image := v1.Image{
		Created:  &now,
		Platform: v1.Platform{OS: platform.OS, Architecture: platform.Architecture, Variant: platform.Variant},
		RootFS:   v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{diffID}},
		History:  []v1.History{{Created: &now, Comment: cmp.Or(opts.Message, "imported by davit")}},
	}
	if err := manifest.ChangeAll(&image.Config, opts.Changes); err != nil {
		return nil, err
	}
	config, err := json.Marshal(image)
	if err != nil {
		return nil, err
	}
	layers := []v1.Descriptor{{MediaType: manifest.LayerType(head), Digest: draft.Digest(), Size: draft.Size()}}
	return m.addLayer(ctx, api.EventImageImported, names, v1.MediaTypeImageConfig, config, layers, draft, progress)
}

// addLayer adds an image with a config of a media type. Its last layer is a draft, and the
// other ones are here. event is the type of that of its coming.
func (m *Manager) addLayer(ctx context.Context, event string, names []string, configType string, config []byte, layers []v1.Descriptor, draft *blob.Draft, progress func(api.Progress)) (*store.Image, error) {
	c := candidate{event: event, names: names, config: digest.FromBytes(config), layers: layers}
	var err error
	c.manifest, err = manifest.New(v1.Descriptor{MediaType: configType, Digest: c.config, Size: int64(len(config))}, layers)
	if err != nil {
		return nil, err
	}
	c.commit = func() error {
		if _, err := m.blobs.Put(config); err != nil {
			return err
		}
		return draft.Commit()
	}
	return m.add(ctx, c, progress)
}

// diffIDOf returns the digest of the archive in a blob, and the blob's first bytes.
func diffIDOf(ctx context.Context, draft *blob.Draft) (digest.Digest, []byte, error) {
	f, err := draft.Open()
	if err != nil {
		return "", nil, err
	}
	defer f.Close()
	head := &header{r: f}
	z, err := layer.Decompress(head)
	if err != nil {
		return "", nil, err
	}
	defer z.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(ctxReader{ctx, z}, layer.DefaultBytes+1))
	switch {
	case ctx.Err() != nil:
		return "", nil, context.Cause(ctx)
	case err != nil:
		return "", nil, executor.Errorf(executor.Invalid, "it cannot be read: %w", err)
	case n > layer.DefaultBytes:
		return "", nil, executor.Errorf(executor.Invalid, "it unpacks to more than is allowed of a layer")
	}
	return digest.NewDigest(digest.SHA256, sum), head.kept, nil
}

// header is a reader that keeps its first bytes.
type header struct {
	r    io.Reader
	kept []byte
}

// Read implements io.Reader.
func (h *header) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if missing := 4 - len(h.kept); missing > 0 {
		h.kept = append(h.kept, p[:min(n, missing)]...)
	}
	return n, err
}

// ctxReader is a reader that fails when a context ends.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (c ctxReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
