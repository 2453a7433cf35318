package containerd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	imagesapi "github.com/containerd/containerd/api/services/images/v1"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
)

// maxDocument bounds the manifests and configs that are read, in bytes; it is that of most
// registries.
const maxDocument = 4 << 20

// descriptor is what is needed of a descriptor of an image.
type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
	Platform  *struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
		Variant      string `json:"variant"`
	} `json:"platform"`
}

// manifest is what is needed of a manifest, or of an index, which has Manifests.
type manifest struct {
	Manifests []descriptor `json:"manifests"`
	Config    descriptor   `json:"config"`
	Layers    []descriptor `json:"layers"`
}

// imageConfig is what is needed of an image's config here.
type imageConfig struct {
	OS           string    `json:"os"`
	Architecture string    `json:"architecture"`
	Variant      string    `json:"variant"`
	Created      time.Time `json:"created"`
	RootFS       struct {
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

func (c imageConfig) platform() string {
	platform := cmp.Or(c.OS, "linux") + "/" + cmp.Or(c.Architecture, runtime.GOARCH)
	if c.Variant != "" {
		platform += "/" + c.Variant
	}
	return platform
}

// Images implements [executor.ImageKeeper].
func (b *Backend) Images(ctx context.Context) ([]executor.Image, error) {
	d := b.driver
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	ctx = d.imageContext(ctx)
	resp, err := d.conn.images.List(ctx, &imagesapi.ListImagesRequest{})
	if err != nil {
		return nil, oci.Fault(err)
	}
	var all []executor.Image
	for _, found := range resp.GetImages() {
		image, err := d.describe(ctx, found)
		if err != nil { // a part of it is missing, or it is for other machines
			d.log.Debug("an image in containerd is not complete", "image", found.GetName(), "error", err)
		}
		image.Config = nil
		all = append(all, image)
	}
	return all, ctx.Err()
}

// Image implements [executor.ImageKeeper].
func (b *Backend) Image(ctx context.Context, name string) (executor.Image, error) {
	d := b.driver
	if err := d.ready(ctx); err != nil {
		return executor.Image{}, err
	}
	ctx = d.imageContext(ctx)
	resp, err := d.conn.images.Get(ctx, &imagesapi.GetImageRequest{Name: name})
	if errdefs.IsNotFound(err) {
		return executor.Image{}, executor.Errorf(executor.NotFound, "containerd at %s has no image %q in its namespace %s; `%s` gets it", d.conn.address, name, d.config.ImageNamespace, d.pullCommand(name))
	}
	if err != nil {
		return executor.Image{}, oci.Fault(err)
	}
	return d.describe(ctx, resp.GetImage())
}

// pullCommand returns the command that pulls an image into containerd.
func (d *driver) pullCommand(name string) string {
	words := []string{"ctr"}
	if d.conn.address != "/run/containerd/containerd.sock" {
		words = append(words, "-a", d.conn.address)
	}
	words = append(words, "-n", d.config.ImageNamespace, "images", "pull")
	if d.config.Snapshotter != defaultSnapshotter {
		words = append(words, "--snapshotter", d.config.Snapshotter)
	}
	return strings.Join(append(words, name), " ")
}

// describe returns what is known of an image. With an error it is less.
func (d *driver) describe(ctx context.Context, found *imagesapi.Image) (executor.Image, error) {
	image := executor.Image{Name: found.GetName(), Digest: found.GetTarget().GetDigest(), CreatedAt: found.GetCreatedAt().AsTime()}
	m, config, raw, err := d.readImage(ctx, image.Digest)
	if err != nil {
		return image, executor.Errorf(executor.CodeOf(err), "image %s: %w", image.Name, err)
	}
	image.ID, image.Platform, image.Config = m.Config.Digest, config.platform(), raw
	if !config.Created.IsZero() {
		image.CreatedAt = config.Created
	}
	for _, l := range m.Layers {
		image.Size += l.Size
	}
	return image, nil
}

// readImage reads the manifest of an image for this machine, and its config.
func (d *driver) readImage(ctx context.Context, digest string) (m manifest, config imageConfig, raw json.RawMessage, err error) {
	if m, err = d.readManifest(ctx, digest); err != nil {
		return m, config, nil, err
	}
	if len(m.Manifests) > 0 {
		if m, err = d.readOneOf(ctx, m.Manifests); err != nil {
			return m, config, nil, err
		}
	}
	if m.Config.Digest == "" || len(m.Manifests) > 0 {
		return m, config, nil, executor.Errorf(executor.Unsupported, "it has no config, so it is nothing that containerd can run")
	}
	if raw, err = d.readBlob(ctx, m.Config.Digest); err == nil {
		if err = json.Unmarshal(raw, &config); err != nil {
			err = executor.Errorf(executor.Invalid, "its config %s: %w", m.Config.Digest, err)
		}
	}
	switch {
	case err != nil:
	case cmp.Or(config.OS, "linux") != "linux" || cmp.Or(config.Architecture, runtime.GOARCH) != runtime.GOARCH:
		err = executor.Errorf(executor.Unsupported, "it is for %s, and this machine is linux/%s", config.platform(), runtime.GOARCH)
	case len(config.RootFS.DiffIDs) != len(m.Layers):
		err = executor.Errorf(executor.Invalid, "its manifest has %d layers, and its config %d", len(m.Layers), len(config.RootFS.DiffIDs))
	}
	return m, config, raw, err
}

func (d *driver) readManifest(ctx context.Context, digest string) (m manifest, err error) {
	raw, err := d.readBlob(ctx, digest)
	if err == nil {
		if err = json.Unmarshal(raw, &m); err != nil {
			err = executor.Errorf(executor.Invalid, "its manifest %s: %w", digest, err)
		}
	}
	return m, err
}

// readOneOf reads the manifest for this machine among several: of its variants the latest
// that is there.
func (d *driver) readOneOf(ctx context.Context, all []descriptor) (manifest, error) {
	fits := slices.DeleteFunc(slices.Clone(all), func(m descriptor) bool {
		return m.Platform == nil && len(all) > 1 || m.Platform != nil && (m.Platform.OS != "linux" || m.Platform.Architecture != runtime.GOARCH)
	})
	slices.SortStableFunc(fits, func(a, b descriptor) int {
		if a.Platform == nil || b.Platform == nil {
			return 0
		}
		return cmp.Compare(b.Platform.Variant, a.Platform.Variant)
	})
	err := executor.Errorf(executor.Unsupported, "it has no manifest for linux/%s", runtime.GOARCH)
	for _, m := range fits {
		var read manifest
		if read, err = d.readManifest(ctx, m.Digest); executor.CodeOf(err) != executor.NotFound {
			return read, err
		}
	}
	return manifest{}, err
}

// readBlob reads a manifest or a config.
func (d *driver) readBlob(ctx context.Context, digest string) (raw []byte, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := d.conn.content.Read(ctx, &contentapi.ReadContentRequest{Digest: digest})
	for err == nil {
		var part *contentapi.ReadContentResponse
		if part, err = stream.Recv(); err == nil {
			if raw = append(raw, part.GetData()...); len(raw) > maxDocument {
				return nil, executor.Errorf(executor.Invalid, "%s has more than %d bytes", digest, maxDocument)
			}
		}
	}
	if errors.Is(err, io.EOF) {
		return raw, nil
	}
	if err = errgrpc.ToNative(err); errdefs.IsNotFound(err) {
		return nil, executor.Errorf(executor.NotFound, "containerd has no content %s of it", digest)
	}
	return nil, oci.Fault(err)
}
