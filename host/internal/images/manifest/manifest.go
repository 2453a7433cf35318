// Package manifest reads the documents that describe an image: index, manifest and config.
// They come from anybody, so each is checked for what the rest relies on.
package manifest

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/internal/images/blob"
	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/davit-run/davit/host/internal/strict"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	// MaxSize is the largest document that is read, in bytes; that of most registries.
	MaxSize = 4 << 20

	maxDescriptors = 1000
)

// Media types of docker, which OCI's were made from.
const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerConfig   = "application/vnd.docker.container.image.v1+json"
	dockerLayer    = "application/vnd.docker.image.rootfs.diff.tar"
	dockerGzip     = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

var configTypes = []string{v1.MediaTypeImageConfig, dockerConfig, WasmConfig}

// Accept has the media types of the documents that [Parse] knows.
var Accept = []string{v1.MediaTypeImageIndex, v1.MediaTypeImageManifest, dockerList, dockerManifest}

// Document is an index or a manifest. The other one is nil.
type Document struct {
	Index    *v1.Index
	Manifest *v1.Manifest
}

// Parse reads an index or a manifest.
func Parse(raw []byte) (Document, error) {
	var head struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		Config        json.RawMessage   `json:"config"`
		Layers        []json.RawMessage `json:"layers"`
		Manifests     []json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return Document{}, invalid("it is no manifest: %w", strict.Explain(raw, reflect.TypeOf(head), err))
	}
	switch {
	case head.SchemaVersion == 1:
		return Document{}, executor.Errorf(executor.Unsupported, "it has a manifest of schema 1, which registries gave up years ago; push the image again with a present docker")
	case head.SchemaVersion != 2:
		return Document{}, invalid("it is no manifest: its schemaVersion is %d", head.SchemaVersion)
	case len(head.Manifests) > 0 && (len(head.Layers) > 0 || len(head.Config) > 0):
		return Document{}, invalid("its manifest is an index and an image at once")
	case len(head.Manifests) > maxDescriptors:
		return Document{}, invalid("its index has %d manifests, at most %d are allowed", len(head.Manifests), maxDescriptors)
	}
	switch index := len(head.Config) == 0; head.MediaType {
	case v1.MediaTypeImageIndex, dockerList:
		return parseIndex(raw)
	case "":
		if index {
			return parseIndex(raw)
		}
	case v1.MediaTypeImageManifest, dockerManifest:
	default:
		return Document{}, executor.Errorf(executor.Unsupported, "it is of type %q, which is no image", head.MediaType)
	}
	return parseManifest(raw)
}

func parseIndex(raw []byte) (Document, error) {
	index := new(v1.Index)
	if err := json.Unmarshal(raw, index); err != nil {
		return Document{}, invalid("its index: %w", strict.Explain(raw, reflect.TypeFor[v1.Index](), err))
	}
	for _, d := range index.Manifests {
		if err := check(d); err != nil {
			return Document{}, err
		}
	}
	return Document{Index: index}, nil
}

func parseManifest(raw []byte) (Document, error) {
	m := new(v1.Manifest)
	if err := json.Unmarshal(raw, m); err != nil {
		return Document{}, invalid("its manifest: %w", strict.Explain(raw, reflect.TypeFor[v1.Manifest](), err))
	}
	if len(m.Layers) > layer.Max {
		return Document{}, invalid("it has %d layers, at most %d are supported", len(m.Layers), layer.Max)
	}
	for _, d := range append([]v1.Descriptor{m.Config}, m.Layers...) {
		if err := check(d); err != nil {
			return Document{}, err
		}
	}
	if !isImage(m) {
		return Document{}, executor.Errorf(executor.Unsupported, "it is an artifact of type %q, which is no image", cmp.Or(m.ArtifactType, m.Config.MediaType))
	}
	return Document{Manifest: m}, nil
}

// isImage reports whether a manifest may be that of an image: what else is kept in
// registries has configs and layers of other types. Some images have configs of types that
// nobody knows, or do not say.
func isImage(m *v1.Manifest) bool {
	return m.Config.MediaType == "" || slices.Contains(configTypes, m.Config.MediaType) ||
		slices.ContainsFunc(m.Layers, func(d v1.Descriptor) bool {
			return d.MediaType == "" || strings.HasPrefix(d.MediaType, v1.MediaTypeImageLayer) || strings.HasPrefix(d.MediaType, dockerLayer)
		})
}

// check checks a descriptor. Its URLs are of no interest: they may lead anywhere.
func check(d v1.Descriptor) error {
	if err := blob.CheckDigest(d.Digest); err != nil {
		return err
	}
	if d.Size < 0 {
		return invalid("blob %s: its size is %d", d.Digest, d.Size)
	}
	return nil
}

// New returns the manifest of an image with a config and layers, as JSON.
func New(config v1.Descriptor, layers []v1.Descriptor) ([]byte, error) {
	return json.Marshal(v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, Config: config, Layers: layers,
	})
}

// ParseConfig reads the config of an image with a number of layers.
func ParseConfig(raw []byte, layers int) (*v1.Image, error) {
	c := new(v1.Image)
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, invalid("its config: %w", strict.Explain(raw, reflect.TypeFor[v1.Image](), err))
	}
	if err := completeWasm(c, raw); err != nil {
		return nil, err
	}
	if got := len(c.RootFS.DiffIDs); got != layers {
		return nil, invalid("its config has %d layers, and its manifest %d", got, layers)
	}
	for _, d := range c.RootFS.DiffIDs {
		if err := blob.CheckDigest(d); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func invalid(format string, args ...any) error {
	return executor.Errorf(executor.Invalid, format, args...)
}

// LayerType returns the media type of a layer that begins with some bytes.
func LayerType(head []byte) string {
	switch {
	case strings.HasPrefix(string(head), "\x1f\x8b"):
		return v1.MediaTypeImageLayerGzip
	case strings.HasPrefix(string(head), "\x28\xb5\x2f\xfd"):
		return v1.MediaTypeImageLayerZstd
	}
	return v1.MediaTypeImageLayer
}

// AsOCI returns the descriptor of a layer as it stands in a manifest of OCI.
func AsOCI(d v1.Descriptor) v1.Descriptor {
	switch d.MediaType {
	case dockerLayer:
		d.MediaType = v1.MediaTypeImageLayer
	case dockerGzip:
		d.MediaType = v1.MediaTypeImageLayerGzip
	}
	return d
}
