package images

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/blob"
	"github.com/davit-run/davit/host/internal/images/manifest"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// put adds a document to the blobs of a layout.
func put(t *testing.T, blobs map[string]string, kind string, doc any) v1.Descriptor {
	t.Helper()
	raw, ok := doc.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(doc); err != nil {
			t.Fatal(err)
		}
	}
	d := digest.FromBytes(raw)
	blobs["blobs/sha256/"+d.Encoded()] = string(raw)
	return v1.Descriptor{MediaType: kind, Digest: d, Size: int64(len(raw))}
}

// nested returns an image in indexes that are depth deep.
func nested(t *testing.T, blobs map[string]string, depth int) v1.Descriptor {
	d := sample(t).blobs(t, blobs)
	for range depth {
		d = put(t, blobs, v1.MediaTypeImageIndex, map[string]any{"schemaVersion": 2, "mediaType": v1.MediaTypeImageIndex, "manifests": []v1.Descriptor{d}})
	}
	return d
}

// changed returns an image whose manifest was changed.
func changed(t *testing.T, blobs map[string]string, change func(m *v1.Manifest)) v1.Descriptor {
	var m v1.Manifest
	d := sample(t).blobs(t, blobs)
	if err := json.Unmarshal([]byte(blobs["blobs/sha256/"+d.Digest.Encoded()]), &m); err != nil {
		t.Fatal(err)
	}
	change(&m)
	return put(t, blobs, v1.MediaTypeImageManifest, m)
}

// hostile are images that cannot be right, by what is wrong, as the blobs of a layout.
var hostile = []struct {
	name string
	make func(t *testing.T, blobs map[string]string) v1.Descriptor
	code executor.Code
	want string
}{
	{"indexes in each other", func(t *testing.T, blobs map[string]string) v1.Descriptor { return nested(t, blobs, 6) }, executor.Invalid, "indexes in each other"},
	{"a large manifest", func(t *testing.T, blobs map[string]string) v1.Descriptor {
		return put(t, blobs, v1.MediaTypeImageManifest, append([]byte(`{"schemaVersion":2`), bytes.Repeat([]byte{' '}, manifest.MaxSize)...))
	}, executor.Invalid, "more than 4194304 bytes"},
	{"a large index", func(t *testing.T, blobs map[string]string) v1.Descriptor {
		many := slices.Repeat([]v1.Descriptor{sample(t).blobs(t, blobs)}, 1001)
		return put(t, blobs, v1.MediaTypeImageIndex, map[string]any{"schemaVersion": 2, "manifests": many})
	}, executor.Invalid, "1001 manifests"},
	{"many layers", func(t *testing.T, blobs map[string]string) v1.Descriptor {
		return changed(t, blobs, func(m *v1.Manifest) {
			for len(m.Layers) <= 200 {
				m.Layers = append(m.Layers, m.Layers[0])
			}
		})
	}, executor.Invalid, "201 layers"},
	{"no layers in the manifest", func(t *testing.T, blobs map[string]string) v1.Descriptor {
		return changed(t, blobs, func(m *v1.Manifest) { m.Layers = nil })
	}, executor.Invalid, "its config has 2 layers, and its manifest 0"},
	{"schema 1", func(t *testing.T, blobs map[string]string) v1.Descriptor {
		return put(t, blobs, "application/vnd.docker.distribution.manifest.v1+prettyjws", map[string]any{"schemaVersion": 1, "fsLayers": []any{}})
	}, executor.Unsupported, "schema 1"},
	{"another kind of document", func(t *testing.T, blobs map[string]string) v1.Descriptor {
		return put(t, blobs, "text/plain", map[string]any{"schemaVersion": 2, "mediaType": "text/plain"})
	}, executor.Unsupported, `type "text/plain"`},
	{"an artifact", func(t *testing.T, blobs map[string]string) v1.Descriptor {
		return changed(t, blobs, func(m *v1.Manifest) {
			m.Config.MediaType = "application/vnd.cncf.helm.config.v1+json"
			for i := range m.Layers {
				m.Layers[i].MediaType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
			}
		})
	}, executor.Unsupported, "helm"},
	{"a config larger than its limit", func(t *testing.T, blobs map[string]string) v1.Descriptor {
		config := put(t, blobs, v1.MediaTypeImageConfig, append([]byte(`{}`), bytes.Repeat([]byte{' '}, manifest.MaxSize)...))
		return changed(t, blobs, func(m *v1.Manifest) { m.Config = config })
	}, executor.Invalid, "4194304 "},
	{"a layer larger than it says", func(t *testing.T, blobs map[string]string) v1.Descriptor {
		return changed(t, blobs, func(m *v1.Manifest) { m.Layers[1].Size-- })
	}, executor.Invalid, "its manifest says"},
	{"a layer that is no archive", func(t *testing.T, blobs map[string]string) v1.Descriptor {
		p := sample(t)
		p.layers[1] = []byte(strings.Repeat("no archive", 100))
		return p.blobs(t, blobs)
	}, executor.Invalid, "cannot be read"},
}

// TestHostile pulls and loads what cannot be right. Nothing of it may be left.
func TestHostile(t *testing.T) {
	for _, tt := range hostile {
		t.Run(tt.name, func(t *testing.T) {
			f := newRegistry(t)
			f.tags["1"] = tt.make(t, f.blobs)
			dir := t.TempDir()
			m, stop := openImages(t, dir)
			_, pulled := m.Pull(t.Context(), f.host+"/app:1", api.PullOptions{}, nil)
			_, loaded := m.Load(t.Context(), bytes.NewReader(layout(t, f.blobs, f.tags["1"])), api.LoadOptions{}, nil)
			for how, err := range map[string]error{"pull": pulled, "load": loaded} {
				if executor.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%s: got %v, want %s and %q", how, err, tt.code, tt.want)
				}
			}
			if _, err := m.Prune(t.Context(), api.PruneImagesOptions{All: true}); err != nil { // what was fetched of it
				t.Error(err)
			}
			stop()
			if err := os.Remove(filepath.Join(dir, "images/ingest", blob.PartialDir)); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
			nothing(t, dir)
		})
	}
}

// TestPullElsewhere pulls an image of which a layer is only at a URL that its manifest names.
// Nobody may be asked there: it could be any service of this machine.
func TestPullElsewhere(t *testing.T) {
	asked := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer elsewhere.Close()
	f := newRegistry(t)
	f.tags["1"] = changed(t, f.blobs, func(m *v1.Manifest) {
		m.Layers[1].URLs = []string{elsewhere.URL + "/secret"}
		delete(f.blobs, "blobs/sha256/"+m.Layers[1].Digest.Encoded())
	})
	m, _ := openImages(t, t.TempDir())
	if _, err := m.Pull(t.Context(), f.host+"/app:1", api.PullOptions{}, nil); executor.CodeOf(err) != executor.NotFound || asked {
		t.Errorf("got %v, asked there: %v", err, asked)
	}
}

// TestPullChild pulls from an index whose manifests are other ones than it says.
func TestPullChild(t *testing.T) {
	f := newRegistry(t)
	d := sample(t).blobs(t, f.blobs)
	for name, change := range map[string]func(d *v1.Descriptor){
		"larger":  func(d *v1.Descriptor) { d.Size-- },
		"another": func(d *v1.Descriptor) { f.tags[digest.FromString("x").String()], d.Digest = *d, digest.FromString("x") },
	} {
		wrong := d
		change(&wrong)
		f.tags["1"] = put(t, f.blobs, v1.MediaTypeImageIndex, map[string]any{"schemaVersion": 2, "manifests": []v1.Descriptor{wrong}})
		m, _ := openImages(t, t.TempDir())
		if _, err := m.Pull(t.Context(), f.host+"/app:1", api.PullOptions{}, nil); executor.CodeOf(err) != executor.Invalid || !strings.Contains(err.Error(), "what it sent") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestPullOfDamagedPart goes on with what is there of a blob and was damaged meanwhile, in
// each length: the same pull begins at zero.
func TestPullOfDamagedPart(t *testing.T) {
	f := newRegistry(t)
	f.tags["1"] = largePicture(t).blobs(t, f.blobs)
	large := ""
	for name, content := range f.blobs {
		if len(content) > 1<<20 {
			large = filepath.Base(name)
		}
	}
	size := len(f.blobs["blobs/sha256/"+large])
	for _, n := range []int{1, size - 1, size, size + 1} {
		dir := t.TempDir()
		part := filepath.Join(dir, "images/ingest", blob.PartialDir, large)
		if err := errors.Join(os.MkdirAll(filepath.Dir(part), 0o700), os.WriteFile(part, bytes.Repeat([]byte{'x'}, n), 0o600)); err != nil {
			t.Fatal(err)
		}
		m, stop := openImages(t, dir)
		if _, err := m.Pull(t.Context(), f.host+"/app:1", api.PullOptions{}, nil); err != nil {
			t.Errorf("with %d of %d bytes: %v", n, size, err)
		}
		stop()
	}
}
