package images

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/internal/images/archive"
	"github.com/davit-run/davit/host/internal/images/manifest"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// Save writes images as an archive; see the method of host.Host.
func (m *Manager) Save(ctx context.Context, refs []string, w io.Writer) error {
	if len(refs) == 0 {
		return executor.Errorf(executor.Invalid, "no image to save is given")
	}
	var images []*store.Image
	err := m.view(func(tx *store.Tx) (err error) {
		images, err = chosen(tx, refs)
		return err
	})
	if err != nil {
		return err
	}
	release, err := m.keep(images...)
	if err != nil {
		return err
	}
	defer release()
	saved := make([]archive.Saved, len(images))
	for n, image := range images {
		raw, err := m.blobs.Read(digest.Digest(image.Manifest), manifest.MaxSize)
		if err != nil {
			return err
		}
		saved[n].Manifest = raw
		for _, name := range image.Names {
			named, err := parseName(name)
			if err != nil {
				return err
			}
			if tagged, ok := named.(reference.NamedTagged); ok {
				saved[n].Names = append(saved[n].Names, tagged)
			}
		}
	}
	return archive.Write(ctxWriter{ctx, w}, m.blobs, saved)
}

// chosen returns the images that references mean, each once, with the names by which they
// mean it: none for an id. A name without a tag means all of its tags, as docker has it.
func chosen(tx *store.Tx, refs []string) ([]*store.Image, error) {
	var list []*store.Image
	add := func(image *store.Image, names ...string) {
		i := slices.IndexFunc(list, func(other *store.Image) bool { return other.ID == image.ID })
		if i < 0 {
			i = len(list)
			image.Names = nil
			list = append(list, image)
		}
		names = append(list[i].Names, names...)
		slices.Sort(names)
		list[i].Names = slices.Compact(names)
	}
	for _, ref := range refs {
		named := false
		if repository, err := reference.ParseNormalizedNamed(ref); err == nil && reference.IsNameOnly(repository) {
			all, err := tx.Images()
			if err != nil {
				return nil, err
			}
			for _, image := range all {
				for _, name := range image.Names {
					if strings.HasPrefix(name, repository.Name()+":") {
						named = true
						add(image, name)
					}
				}
			}
		}
		if named {
			continue
		}
		image, name, err := find(tx, ref)
		switch {
		case err != nil:
			return nil, err
		case name == "":
			add(image)
		default:
			add(image, name)
		}
	}
	return list, nil
}

// ctxWriter is a writer that fails when a context ends.
type ctxWriter struct {
	ctx context.Context
	w   io.Writer
}

// Write implements io.Writer.
func (c ctxWriter) Write(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.w.Write(p)
}
