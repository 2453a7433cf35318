package archive

import (
	"strings"

	"github.com/davit-run/davit/host/internal/images/manifest"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// nameAnnotation has the whole name of an image, as containerd and BuildKit write it.
const nameAnnotation = "io.containerd.image.name"

// maxDepth is how deep indexes may be in each other. One in the layout's is usual.
const maxDepth = 3

// layout returns the images of an OCI layout. Manifests of one name are for different
// platforms.
func (a *Archive) layout(want manifest.Platform) ([]Image, error) {
	f, err := a.file("index.json")
	if err != nil {
		return nil, err
	}
	raw, err := text(f)
	if err != nil {
		return nil, err
	}
	doc, err := manifest.Parse(raw)
	if err != nil {
		return nil, err
	}
	if doc.Index == nil {
		return nil, invalid("index.json in it is no index")
	}
	var names []string
	byName := map[string][]v1.Descriptor{}
	for _, d := range doc.Index.Manifests {
		name := nameOf(d)
		if name == "" {
			name = d.Digest.String()
		}
		if byName[name] == nil {
			names = append(names, name)
		}
		byName[name] = append(byName[name], d)
	}
	var all []Image
	at := map[digest.Digest]int{} // in all, by what the index names
	for _, name := range names {
		group := byName[name]
		if len(group) > 1 {
			d, err := manifest.Select(group, want)
			if err != nil {
				return nil, err
			}
			group[0] = d
		}
		d := group[0]
		n, ok := at[d.Digest]
		if !ok {
			i, err := a.image(d, want, 0)
			if err != nil {
				return nil, err
			}
			n = len(all)
			at[d.Digest] = n
			all = append(all, i)
		}
		if name := nameOf(d); name != "" {
			all[n].Names = append(all[n].Names, name)
		}
	}
	return all, nil
}

// nameOf returns the name of an image in a layout, or "". What has neither a slash nor a
// colon is a tag, of a name that is not in the layout.
func nameOf(d v1.Descriptor) string {
	if name := d.Annotations[nameAnnotation]; name != "" {
		return name
	}
	if name := d.Annotations[v1.AnnotationRefName]; strings.ContainsAny(name, "/:") {
		return name
	}
	return ""
}

// image returns the image that a descriptor leads to.
func (a *Archive) image(d v1.Descriptor, want manifest.Platform, depth int) (Image, error) {
	f, err := a.blob(d.Digest)
	if err != nil {
		return Image{}, err
	}
	raw, err := text(f)
	if err != nil {
		return Image{}, err
	}
	doc, err := manifest.Parse(raw)
	if err != nil {
		return Image{}, err
	}
	if doc.Index != nil {
		if depth == maxDepth {
			return Image{}, invalid("it has more than %d indexes in each other", maxDepth)
		}
		if d, err = manifest.Select(doc.Index.Manifests, want); err != nil {
			return Image{}, err
		}
		return a.image(d, want, depth+1)
	}
	i := Image{Manifest: raw, Config: doc.Manifest.Config.Digest, Layers: doc.Manifest.Layers}
	for _, d := range append([]v1.Descriptor{doc.Manifest.Config}, doc.Manifest.Layers...) {
		f, err := a.blob(d.Digest)
		if err != nil {
			return Image{}, err
		}
		if f.Size() != d.Size {
			return Image{}, invalid("blob %s has %d bytes, and its manifest says %d", d.Digest, f.Size(), d.Size)
		}
		i.drafts = append(i.drafts, f)
	}
	return i, nil
}
