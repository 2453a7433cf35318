package images

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/davit-run/davit/shared/executor"
)

// TestCheck damages what is on disk of an image, in each way that a check has to notice, and
// repairs it.
func TestCheck(t *testing.T) {
	m, stop := openImages(t, t.TempDir())
	defer stop()
	p := sample(t)
	p.layers[0] = tarOf(t, file{"bin/a", "a"}, file{"etc/x", "x"}, file{"link", "to"})
	archive := p.docker(t, "app:1")
	m.load(t, archive)
	use, err := m.Use(t.Context(), "app:1")
	if err != nil {
		t.Fatal(err)
	}
	layers, image := use.Layers, use.Image
	use.Release()
	lower := filepath.Join(m.layers.Dir(), layer.Path(layers[0]))
	upper := filepath.Join(m.layers.Dir(), layer.Path(layers[1]))
	check := func(repair bool) api.ImageCheck {
		t.Helper()
		c, err := m.Check(t.Context(), "app:1", repair)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	good := func() {
		t.Helper()
		if c := check(false); len(c.Problems) > 0 {
			t.Errorf("got %+v, want no problems", c.Problems)
		}
	}
	good()
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		damage func()
		want   string
	}{
		{"content", func() { do(os.WriteFile(filepath.Join(lower, "bin/a"), []byte("b"), 0o644)) }, "/bin/a has another content"},
		{"cut off", func() { do(os.Truncate(filepath.Join(upper, "bin/b"), 0)) }, "/bin/b has another content"},
		{"mode", func() { do(os.Chmod(filepath.Join(lower, "bin/a"), 0o755)) }, "/bin/a is 0755 0:0"},
		{"missing", func() { do(os.Remove(filepath.Join(lower, "etc/x"))) }, "/etc/x is missing"},
		{"whiteout", func() { do(os.Remove(filepath.Join(upper, "etc/x"))) }, "/etc/x is missing"},
		{"more", func() { do(os.WriteFile(filepath.Join(upper, "more"), nil, 0o600)) }, "/more does not belong there"},
		{"another kind", func() {
			do(os.Remove(filepath.Join(lower, "link")))
			do(os.Symlink("to", filepath.Join(lower, "link")))
		}, "/link has another content"},
		{"a layer", func() { do(os.RemoveAll(filepath.Dir(upper))) }, "it is missing"},
		{"what is known of it", func() { do(os.WriteFile(filepath.Join(filepath.Dir(upper), "layer.json"), nil, 0o600)) }, "it is missing"},
	} {
		tt.damage()
		c := check(false)
		if len(c.Problems) != 1 || !strings.HasPrefix(c.Problems[0].Text, tt.want) || c.Problems[0].Repaired || c.Problems[0].Layer == "" {
			t.Errorf("%s: got %+v, want %q", tt.name, c.Problems, tt.want)
		}
		if c = check(true); len(c.Problems) != 1 || !c.Problems[0].Repaired {
			t.Errorf("%s: repaired: got %+v", tt.name, c.Problems)
		}
		good()
	}

	// Blobs of the same size would be taken for good ones.
	for _, d := range []string{image.Layers[0], image.Layers[1]} {
		at := filepath.Join(filepath.Dir(m.layers.Dir()), "blobs/sha256", strings.TrimPrefix(d, "sha256:"))
		raw, err := os.ReadFile(at)
		do(err)
		raw[len(raw)/2] ^= 1
		do(os.Chmod(at, 0o600))
		do(os.WriteFile(at, raw, 0o600))
		c := check(false)
		if len(c.Problems) != 2 || c.Problems[0].Blob != d || !strings.Contains(c.Problems[0].Text, "damaged") || !strings.Contains(c.Problems[1].Text, "cannot be checked") {
			t.Errorf("a blob: got %+v", c.Problems)
		}
		if c = check(true); len(c.Problems) != 2 || c.Problems[0].Repaired || !strings.Contains(c.Problems[0].Text, "removed") {
			t.Errorf("a blob: repaired: got %+v", c.Problems)
		}
		m.load(t, archive)
		good()
	}
	if _, err := m.Check(t.Context(), "no", false); executor.CodeOf(err) != executor.NotFound {
		t.Errorf("no image: got %v", err)
	}
}

// TestCheckOfWhatIsMounted does not pull a root file system from under a container.
func TestCheckOfWhatIsMounted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	m, stop := openImages(t, t.TempDir())
	defer stop()
	m.load(t, sample(t).docker(t, "app:1"))
	use, err := m.Use(t.Context(), "app:1")
	if err != nil {
		t.Fatal(err)
	}
	defer use.Release()
	at := filepath.Join(m.layers.Dir(), layer.Path(use.Layers[0]), "bin/a")
	if err := os.WriteFile(at, []byte("b"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.roots.Create("c", use.Layers); err != nil {
		t.Skip(err) // no overlay here
	}
	c, err := m.Check(t.Context(), "app:1", true)
	if err != nil || len(c.Problems) != 1 || c.Problems[0].Repaired || !strings.Contains(c.Problems[0].Text, "stop") {
		t.Errorf("got %+v, %v", c.Problems, err)
	}
	if err := m.roots.Remove("c"); err != nil {
		t.Fatal(err)
	}
	if c, err := m.Check(t.Context(), "app:1", true); err != nil || len(c.Problems) != 1 || !c.Problems[0].Repaired {
		t.Errorf("unmounted: got %+v, %v", c.Problems, err)
	}
}
