package archive

import (
	"archive/tar"
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"path"
	"slices"

	"github.com/davit-run/davit/host/internal/images/blob"
	"github.com/davit-run/davit/host/internal/images/manifest"
	"github.com/davit-run/davit/shared/executor"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Saved is an image that is written to an archive.
type Saved struct {
	// Names are whole ones, with a tag. There may be none.
	Names []reference.NamedTagged
	// Manifest is its manifest. All that it names is in the store.
	Manifest []byte
}

// dockerImage is an entry of the manifest.json of `docker save`.
type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// Write writes an archive of images that is both an OCI layout and what `docker load` reads.
// It is always the same for the same images: the files are in the order of their names, and
// have no times. Nothing is written if a blob is missing.
func Write(w io.Writer, store *blob.Store, images []Saved) error {
	index := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex}
	docker := make([]dockerImage, 0, len(images))
	blobs := map[string]v1.Descriptor{}
	for _, i := range images {
		doc, err := manifest.Parse(i.Manifest)
		if err != nil {
			return err
		}
		if doc.Manifest == nil {
			return invalid("it is an index, and no image")
		}
		self := v1.Descriptor{
			MediaType: cmp.Or(doc.Manifest.MediaType, v1.MediaTypeImageManifest), Digest: digest.FromBytes(i.Manifest), Size: int64(len(i.Manifest)),
		}
		entry := dockerImage{Config: blobPath(doc.Manifest.Config), Layers: []string{}}
		for _, l := range doc.Manifest.Layers {
			entry.Layers = append(entry.Layers, blobPath(l))
		}
		for _, d := range append([]v1.Descriptor{self, doc.Manifest.Config}, doc.Manifest.Layers...) {
			if err := store.Check(d.Digest, d.Size); err != nil {
				return err
			}
			blobs[blobPath(d)] = d
		}
		if len(i.Names) == 0 {
			index.Manifests = append(index.Manifests, self)
		}
		for _, name := range i.Names {
			named := self
			named.Annotations = map[string]string{nameAnnotation: name.String(), v1.AnnotationRefName: name.Tag()}
			index.Manifests = append(index.Manifests, named)
			entry.RepoTags = append(entry.RepoTags, reference.FamiliarString(name))
		}
		if doc.Manifest.Config.MediaType != manifest.WasmConfig { // docker reads no such artifact
			docker = append(docker, entry)
		}
	}
	out := tar.NewWriter(w)
	for _, dir := range []string{"blobs/", "blobs/sha256/"} {
		if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(blobs)) {
		if err := writeBlob(out, store, name, blobs[name]); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		name    string
		content any
	}{{v1.ImageIndexFile, index}, {"manifest.json", docker}, {v1.ImageLayoutFile, v1.ImageLayout{Version: v1.ImageLayoutVersion}}} {
		raw, err := json.Marshal(f.content)
		if err != nil {
			return err
		}
		if err := writeHeader(out, f.name, int64(len(raw))); err != nil {
			return err
		}
		if _, err := out.Write(raw); err != nil {
			return err
		}
	}
	return out.Close()
}

// blobPath returns where a blob is in a layout.
func blobPath(d v1.Descriptor) string {
	return path.Join(v1.ImageBlobsDir, d.Digest.Algorithm().String(), d.Digest.Encoded())
}

func writeHeader(out *tar.Writer, name string, size int64) error {
	return out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size})
}

// writeBlob writes a blob, and verifies it on the way.
func writeBlob(out *tar.Writer, store *blob.Store, name string, d v1.Descriptor) error {
	f, err := store.Open(d.Digest)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := writeHeader(out, name, d.Size); err != nil {
		return err
	}
	sum := d.Digest.Verifier()
	if _, err := io.Copy(io.MultiWriter(out, sum), io.LimitReader(f, d.Size)); err != nil {
		return err
	}
	if !sum.Verified() {
		return executor.Errorf(executor.Internal, "blob %s is damaged on disk; load or pull its image again", d.Digest)
	}
	return nil
}
