package images

import (
	"context"
	"fmt"
	"io"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/go-digest"
)

// mostPaths is how many paths are told of a damaged layer.
const mostPaths = 5

// Check looks whether an image is on disk as it should be; see the method of host.Host.
func (m *Manager) Check(ctx context.Context, ref string, repair bool) (api.ImageCheck, error) {
	var image *store.Image
	err := m.view(func(tx *store.Tx) (err error) {
		image, _, err = find(tx, ref)
		return err
	})
	if err != nil {
		return api.ImageCheck{}, err
	}
	release, err := m.keep(image)
	if err != nil {
		return api.ImageCheck{}, err
	}
	defer release()
	c := api.ImageCheck{Image: m.show(image, 0)}
	if err := m.checkBlobs(ctx, image, repair, &c); err != nil {
		return c, err
	}
	if err := m.checkLayers(ctx, image, repair, &c); err != nil {
		return c, executor.Errorf(executor.CodeOf(err), "image %q: %w", ref, err)
	}
	return c, nil
}

// checkBlobs looks at the blobs of an image. A repair removes those that are damaged: a pull
// takes what is here for good.
func (m *Manager) checkBlobs(ctx context.Context, image *store.Image, repair bool, c *api.ImageCheck) error {
	for _, d := range digests(append([]string{image.Manifest, image.ID}, image.Layers...)) {
		problem := m.checkBlob(ctx, d)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if problem == "" {
			continue
		}
		if repair && m.blobs.Has(d) {
			if err := m.blobs.Remove(d); err != nil {
				return executor.Errorf(executor.Unavailable, "blob %s: %w", d, err)
			}
			problem += ", and was removed"
		}
		c.Problems = append(c.Problems, api.ImageProblem{Blob: string(d), Text: problem + "; pull or load the image again"})
	}
	return nil
}

// checkBlob returns what is wrong with a blob, or nothing.
func (m *Manager) checkBlob(ctx context.Context, d digest.Digest) string {
	if !m.blobs.Has(d) {
		return "it is missing"
	}
	f, err := m.blobs.Open(d)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	sum := digest.SHA256.Digester()
	if _, err := io.Copy(sum.Hash(), ctxReader{ctx, f}); err != nil {
		return err.Error()
	}
	if got := sum.Digest(); got != d {
		return fmt.Sprintf("it is damaged: it has digest %s", got)
	}
	return ""
}

// checkLayers compares the layers of an image with what their blobs unpack to.
func (m *Manager) checkLayers(ctx context.Context, image *store.Image, repair bool, c *api.ImageCheck) error {
	layers := make([]layer.Layer, len(image.Layers))
	for i, d := range digests(image.Layers) {
		layers[i] = layer.Layer{Digest: d, DiffID: digest.Digest(image.DiffIDs[i]), Open: func() (io.ReadCloser, error) { return m.blobs.Open(d) }}
	}
	var replace func(string, func() error) (bool, error)
	if repair {
		replace = m.roots.Unmounted
	}
	damages, err := m.layers.Check(ctx, layers, replace)
	for _, d := range damages {
		p := api.ImageProblem{Layer: image.DiffIDs[d.Layer], Repaired: d.Repaired}
		switch {
		case d.Err != nil:
			p.Text = fmt.Sprintf("it cannot be checked: %v", d.Err)
		case len(d.Paths) == 0:
			p.Text = "it is missing"
		default:
			p.Text = pathsOf(d.Paths)
		}
		if repair && !d.Repaired && d.Err == nil {
			p.Text += "; a container that uses it runs, or its files are in use: stop those of this image, and repair it again"
		}
		c.Problems = append(c.Problems, p)
	}
	return err
}

func pathsOf(paths []string) (text string) {
	for i, p := range paths {
		if i == mostPaths {
			return fmt.Sprintf("%s, and %d more", text, len(paths)-i)
		}
		if i > 0 {
			text += ", "
		}
		text += p
	}
	return text
}
