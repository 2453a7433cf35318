package images

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/davit-run/davit/shared/executor"
)

// TestWasm makes an artifact of a module, and takes it to another store as it is.
func TestWasm(t *testing.T) {
	module := []byte("\x00asm\x01\x00\x00\x00" + strings.Repeat("module", 1000))
	dir := t.TempDir()
	m, stop := openImages(t, dir)
	made, err := m.Import(t.Context(), bytes.NewReader(module), api.ImportOptions{Name: "hello"}, nil)
	if err != nil || made.Platform != "wasip1/wasm" || made.Size != int64(len(module)) {
		t.Fatalf("import: got %+v, %v", made, err)
	}
	_, err = m.Import(t.Context(), bytes.NewReader(module), api.ImportOptions{Changes: []string{"CMD x"}}, nil)
	if executor.CodeOf(err) != executor.Invalid || !strings.Contains(err.Error(), `"CMD x"`) {
		t.Errorf("a change: got %v", err)
	}
	var archive bytes.Buffer
	if err := m.Save(t.Context(), []string{"hello"}, &archive); err != nil {
		t.Fatal(err)
	}

	other := t.TempDir()
	m2, stop2 := openImages(t, other)
	loaded := m2.load(t, archive.Bytes())
	if len(loaded) != 1 || loaded[0].ID != made.ID || loaded[0].Digest != made.Digest || loaded[0].Platform != made.Platform {
		t.Errorf("loaded %+v, want %+v", loaded, made)
	}
	use, err := m2.Use(t.Context(), "hello")
	if err != nil {
		t.Fatal(err)
	}
	opts := api.ContainerOptions{}
	opts.Process.Args = []string{"arg"}
	if err := use.Complete(&opts); err != nil || !slices.Equal(opts.Process.Args, []string{"/module.wasm", "arg"}) {
		t.Errorf("got %q, %v", opts.Process.Args, err)
	}
	tree := filepath.Join(m2.layers.Dir(), layer.Path(use.Layers[0]))
	got, err := os.ReadFile(filepath.Join(tree, layer.Module))
	if err != nil || !bytes.Equal(got, module) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	use.Release()

	damaged := bytes.Replace(archive.Bytes(), []byte("modulemodule"), []byte("modulemadule"), 1)
	if _, err := m2.Load(t.Context(), bytes.NewReader(damaged), api.LoadOptions{}, nil); executor.CodeOf(err) != executor.Invalid {
		t.Errorf("a damaged module: got %v", err)
	}
	for _, end := range []struct {
		m    *Manager
		stop func()
		dir  string
	}{{m, stop, dir}, {m2, stop2, other}} {
		if _, err := end.m.Remove(t.Context(), "hello", false); err != nil {
			t.Error(err)
		}
		end.m.wg.Wait()
		end.stop()
		nothing(t, end.dir)
	}
}
