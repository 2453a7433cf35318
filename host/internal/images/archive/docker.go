package archive

import (
	"errors"
	"io"

	"github.com/davit-run/davit/host/internal/images/blob"
	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/davit-run/davit/host/internal/images/manifest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// docker returns the images of what `docker save` writes.
func (a *Archive) docker() ([]Image, error) {
	var list []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := a.json("manifest.json", &list); err != nil {
		return nil, err
	}
	var all []Image
	for _, m := range list {
		if len(m.Layers) > layer.Max {
			return nil, invalid("an image in it has %d layers, at most %d are supported", len(m.Layers), layer.Max)
		}
		config, err := a.file(m.Config)
		if err != nil {
			return nil, err
		}
		i := Image{Names: m.RepoTags, Config: config.Digest(), drafts: []*blob.Draft{config}}
		for _, name := range m.Layers {
			d, err := a.file(name)
			if err != nil {
				return nil, err
			}
			kind, err := layerType(d)
			if err != nil {
				return nil, err
			}
			i.Layers = append(i.Layers, v1.Descriptor{MediaType: kind, Digest: d.Digest(), Size: d.Size()})
			i.drafts = append(i.drafts, d)
		}
		if i.Manifest, err = manifest.New(v1.Descriptor{MediaType: v1.MediaTypeImageConfig, Digest: i.Config, Size: config.Size()}, i.Layers); err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, nil
}

func layerType(d *blob.Draft) (string, error) {
	f, err := d.Open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	var head [4]byte
	if _, err := io.ReadFull(f, head[:]); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	return manifest.LayerType(head[:]), nil
}
