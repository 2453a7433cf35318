package images

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/go-digest"
)

func (m *Manager) save(t testing.TB, refs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.Save(t.Context(), refs, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSave saves images of both kinds of archives, and loads them elsewhere: with the same
// ids, digests and names. What is saved again is the same.
func TestSave(t *testing.T) {
	m, _ := openImages(t, t.TempDir())
	first, second := sample(t), sample(t)
	second.config.User = "other"
	m.load(t, first.docker(t, "app:1", "app:2", "registry.example:5000/x:y"))
	blobs := map[string]string{}
	m.load(t, layout(t, blobs, second.blobs(t, blobs)))
	id := string(digest.FromBytes(second.configJSON(t)))

	raw := m.save(t, "app", id)
	if again := m.save(t, "app", id); !bytes.Equal(raw, again) {
		t.Error("the same images are saved in another way")
	}
	elsewhere, _ := openImages(t, t.TempDir())
	loaded := elsewhere.load(t, raw)
	if len(loaded) != 2 || !slices.Equal(loaded[0].Names, []string{"app:1", "app:2"}) || loaded[1].ID != id || len(loaded[1].Names) > 0 {
		t.Fatalf("got %+v", loaded)
	}
	for i, ref := range []string{"app:1", id} {
		was, err := m.Inspect(ref)
		if err != nil || was.ID != loaded[i].ID || was.Digest != loaded[i].Digest {
			t.Errorf("%s: got %+v, %v, was %+v", ref, loaded[i], err, was)
		}
	}
	if !bytes.Equal(raw, elsewhere.save(t, "app", id)) {
		t.Error("what was loaded is saved in another way")
	}
	if one := elsewhere.load(t, m.save(t, "app:2")); len(one) != 1 || !slices.Contains(one[0].Names, "app:2") {
		t.Errorf("one tag: got %+v", one)
	}
	for ref, want := range map[string]executor.Code{"nothing": executor.NotFound, "a:b:c": executor.Invalid} {
		var b bytes.Buffer
		if err := m.Save(t.Context(), []string{"app:1", ref}, &b); executor.CodeOf(err) != want || b.Len() > 0 {
			t.Errorf("%s: got %v and %d bytes, want %s and none", ref, err, b.Len(), want)
		}
	}

	// The documents of `docker save` alone are enough as well.
	var files []file
	in := tar.NewReader(bytes.NewReader(m.save(t, "app:1")))
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg && h.Name != "index.json" && h.Name != "oci-layout" {
			files = append(files, file{h.Name, string(content)})
		}
	}
	docker, _ := openImages(t, t.TempDir())
	if got := docker.load(t, tarOf(t, files...)); len(got) != 1 || got[0].ID != loaded[0].ID || !slices.Equal(got[0].Names, []string{"app:1"}) {
		t.Errorf("manifest.json: got %+v", got)
	}
}

// TestSaveDamaged saves images of which a blob is missing, short or changed.
func TestSaveDamaged(t *testing.T) {
	dir := t.TempDir()
	m, _ := openImages(t, dir)
	image := m.load(t, sample(t).docker(t, "app"))[0]
	d, err := m.Inspect(image.ID)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "images", "blobs", "sha256", strings.TrimPrefix(d.Layers[0].Digest, "sha256:"))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := slices.Clone(good)
	bad[0]++
	for _, c := range []struct {
		name    string
		content []byte
		code    executor.Code
	}{{"changed", bad, executor.Internal}, {"short", good[1:], executor.Internal}, {"missing", nil, executor.FailedPrecondition}} {
		t.Run(c.name, func(t *testing.T) {
			err := os.Remove(path)
			if c.content != nil {
				err = os.WriteFile(path, c.content, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := m.Save(t.Context(), []string{"app"}, &b); executor.CodeOf(err) != c.code || c.name != "changed" && b.Len() > 0 {
				t.Errorf("got %v and %d bytes, want %s", err, b.Len(), c.code)
			}
		})
	}
}
