package images

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/manifest"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/publish"
	"github.com/davit-run/davit/shared/executor"
	"github.com/hashicorp/go-hclog"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// openImages opens the images below a directory, until the test ends or close is called.
func openImages(t *testing.T, dir string) (m *Manager, stop func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	st, err := store.Open(filepath.Join(dir, "db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if m, err = Open(Options{Store: st, Logger: hclog.NewNullLogger(), StateDir: dir}); err != nil {
		t.Fatal(err)
	}
	m.Begin(t.Context())
	closed := false
	stop = func() {
		if !closed {
			closed = true
			m.Close()
			st.Close()
		}
	}
	t.Cleanup(stop)
	return m, stop
}

// file is a file of an archive.
type file struct{ name, content string }

func tarOf(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: 0o644, Size: int64(len(f.content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t testing.TB, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// picture is an image for tests.
type picture struct {
	config v1.ImageConfig
	layers [][]byte // archives
	arch   string
}

func (p picture) configJSON(t testing.TB) []byte {
	t.Helper()
	c := v1.Image{Platform: v1.Platform{OS: "linux", Architecture: p.arch}, Config: p.config, RootFS: v1.RootFS{Type: "layers"}}
	for _, l := range p.layers {
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, digest.FromBytes(l))
	}
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// docker returns what `docker save` would write.
func (p picture) docker(t testing.TB, names ...string) []byte {
	config := p.configJSON(t)
	files := []file{{"config.json", string(config)}}
	var layers []string
	for i, l := range p.layers {
		name := fmt.Sprintf("%d/layer.tar", i)
		layers = append(layers, name)
		files = append(files, file{name, string(l)})
	}
	list, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": names, "Layers": layers}})
	if err != nil {
		t.Fatal(err)
	}
	return tarOf(t, append(files, file{"manifest.json", string(list)})...)
}

// blobs adds the blobs of a picture to those of a layout, and returns its descriptor.
func (p picture) blobs(t testing.TB, blobs map[string]string) v1.Descriptor {
	add := func(kind string, raw []byte) v1.Descriptor {
		d := digest.FromBytes(raw)
		blobs["blobs/sha256/"+d.Encoded()] = string(raw)
		return v1.Descriptor{MediaType: kind, Digest: d, Size: int64(len(raw))}
	}
	var layers []v1.Descriptor
	for _, l := range p.layers {
		layers = append(layers, add(v1.MediaTypeImageLayerGzip, zipped(t, l)))
	}
	raw, err := manifest.New(add(v1.MediaTypeImageConfig, p.configJSON(t)), layers)
	if err != nil {
		t.Fatal(err)
	}
	d := add(v1.MediaTypeImageManifest, raw)
	d.Platform = &v1.Platform{OS: "linux", Architecture: p.arch}
	return d
}

// layout returns an OCI layout.
func layout(t testing.TB, blobs map[string]string, manifests ...v1.Descriptor) []byte {
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": manifests})
	if err != nil {
		t.Fatal(err)
	}
	files := []file{{"oci-layout", `{"imageLayoutVersion":"1.0.0"}`}, {"index.json", string(index)}}
	for name, content := range blobs {
		files = append(files, file{name, content})
	}
	return tarOf(t, files...)
}

func sample(t testing.TB) picture {
	return picture{arch: manifest.Here().Architecture, layers: [][]byte{tarOf(t, file{"bin/a", "a"}, file{"etc/x", "x"}), tarOf(t, file{"bin/b", "b"}, file{"etc/.wh.x", ""})}}
}

func (m *Manager) load(t testing.TB, archive []byte) []api.Image {
	t.Helper()
	images, err := m.Load(t.Context(), bytes.NewReader(archive), api.LoadOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return images
}

// onDisk returns what there is below the directory of images, of each kind.
func onDisk(dir string) map[string]int {
	n := map[string]int{}
	for _, kind := range []string{"blobs/sha256", "ingest", "layers", "tmp"} {
		n[filepath.Base(kind)] = len(contents(filepath.Join(dir, "images", kind)))
	}
	return n
}

func nothing(t testing.TB, dir string) {
	t.Helper()
	for kind, n := range onDisk(dir) {
		if n > 0 {
			t.Errorf("%d left in %s", n, kind)
		}
	}
}

// TestLoad loads archives of both kinds, lists, tags and removes.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	m, stop := openImages(t, dir)
	p := sample(t)
	blobs := map[string]string{}
	d := p.blobs(t, blobs)
	d.Annotations = map[string]string{"io.containerd.image.name": "registry.example:5000/team/app:v1"}
	loaded := m.load(t, p.docker(t, "busybox:1", "busybox:2"))
	if len(loaded) != 1 || !slices.Equal(loaded[0].Names, []string{"busybox:1", "busybox:2"}) || loaded[0].ID != string(digest.FromBytes(p.configJSON(t))) || loaded[0].Size != 3 {
		t.Errorf("docker: got %+v", loaded)
	}
	again := m.load(t, zipped(t, layout(t, blobs, d)))
	if len(again) != 1 || again[0].ID != loaded[0].ID || len(again[0].Names) != 3 {
		t.Errorf("layout: got %+v", again)
	}
	if err := m.Tag(t.Context(), loaded[0].ID[7:15], "other"); err != nil {
		t.Error(err)
	}
	if _, err := m.Remove(t.Context(), loaded[0].ID, false); executor.CodeOf(err) != executor.FailedPrecondition {
		t.Errorf("an image with four names, by id: got %v", err)
	}
	for _, name := range []string{"busybox:1", "docker.io/library/busybox:2", "other:latest"} {
		if r, err := m.Remove(t.Context(), name, false); err != nil || r.Removed {
			t.Errorf("%s: got %+v, %v", name, r, err)
		}
	}
	if list, err := m.List(); err != nil || len(list) != 1 || !slices.Equal(list[0].Names, []string{"registry.example:5000/team/app:v1"}) {
		t.Errorf("list: got %+v, %v", list, err)
	}
	details, err := m.Inspect("registry.example:5000/team/app@" + string(d.Digest))
	if err != nil || len(details.Layers) != 2 {
		t.Errorf("inspect: got %+v, %v", details, err)
	}
	r, err := m.Remove(t.Context(), "registry.example:5000/team/app:v1", false)
	if err != nil || !r.Removed || r.Bytes == 0 {
		t.Errorf("the last name: got %+v, %v", r, err)
	}
	stop()
	nothing(t, dir)
}

// TestPlatforms loads an index for several platforms.
func TestPlatforms(t *testing.T) {
	m, _ := openImages(t, t.TempDir())
	here, there := sample(t), sample(t)
	there.arch = "riscv64"
	there.layers = there.layers[:1]
	blobs := map[string]string{}
	descriptors := []v1.Descriptor{there.blobs(t, blobs), here.blobs(t, blobs)}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": v1.MediaTypeImageIndex, "manifests": descriptors})
	if err != nil {
		t.Fatal(err)
	}
	d := digest.FromBytes(index)
	blobs["blobs/sha256/"+d.Encoded()] = string(index)
	archive := layout(t, blobs, v1.Descriptor{MediaType: v1.MediaTypeImageIndex, Digest: d, Size: int64(len(index))})
	for platform, want := range map[string]string{"": manifest.Here().String(), "linux/riscv64": "linux/riscv64"} {
		images, err := m.Load(t.Context(), bytes.NewReader(archive), api.LoadOptions{Platform: platform}, nil)
		if err != nil || len(images) != 1 || images[0].Platform != want {
			t.Errorf("%q: got %+v, %v, want %s", platform, images, err, want)
		}
	}
	_, err = m.Load(t.Context(), bytes.NewReader(archive), api.LoadOptions{Platform: "plan9/386"}, nil)
	if executor.CodeOf(err) != executor.NotFound || !strings.Contains(err.Error(), "riscv64") {
		t.Errorf("got %v", err)
	}
}

// TestRefused loads what is no image. Nothing may be left, and a good archive loads after it.
func TestRefused(t *testing.T) {
	p := sample(t)
	blobs := map[string]string{}
	d := p.blobs(t, blobs)
	damaged := map[string]string{}
	for name, content := range blobs {
		damaged[name] = content
		if digest.FromString(content) == digest.FromBytes(zipped(t, p.layers[1])) {
			damaged[name] = content[:len(content)-1] + "x"
		}
	}
	few := p
	few.layers = p.layers[:1]
	wrong := few.configJSON(t)
	windows := p.configJSON(t)
	windows = bytes.Replace(windows, []byte(`"linux"`), []byte(`"windows"`), 1)
	mixed := func(config []byte) []byte {
		list := `[{"Config":"c","RepoTags":["x"],"Layers":["a","b"]}]`
		return tarOf(t, file{"c", string(config)}, file{"a", string(p.layers[0])}, file{"b", string(p.layers[1])}, file{"manifest.json", list})
	}
	both := `{"schemaVersion":2,"config":{},"layers":[{}],"manifests":[{}]}`
	tests := []struct {
		name    string
		archive []byte
		code    executor.Code
		want    string
	}{
		{"nothing", nil, executor.Invalid, "empty"},
		{"garbage", []byte(strings.Repeat("garbage", 200)), executor.Invalid, "archive"},
		{"cut off", p.docker(t, "x")[:2000], executor.Invalid, "damaged"},
		{"a root file system", p.layers[0], executor.Invalid, "davit import"},
		{"a damaged blob", layout(t, damaged, d), executor.Invalid, "damaged"},
		{"a missing blob", layout(t, map[string]string{"blobs/sha256/" + d.Digest.Encoded(): blobs["blobs/sha256/"+d.Digest.Encoded()]}, d), executor.Invalid, "missing"},
		{"fewer layers in the config", mixed(wrong), executor.Invalid, "1 layers"},
		{"another diff id", mixed(bytes.Replace(p.configJSON(t), []byte(digest.FromBytes(p.layers[1]).Encoded()), []byte(digest.FromString("x").Encoded()), 1)), executor.Invalid, "config says"},
		{"windows", mixed(windows), executor.Unsupported, "windows"},
		{"a config that is none", mixed([]byte(`{"rootfs":[]}`)), executor.Invalid, "config"},
		{"a name that is none", p.docker(t, "x/UPPER"), executor.Invalid, "name of an image"},
		{"schema 1", tarOf(t, file{"index.json", `{"schemaVersion":1}`}), executor.Unsupported, "schema 1"},
		{"image and index", tarOf(t, file{"index.json", both}), executor.Invalid, "at once"},
		{"no images", tarOf(t, file{"manifest.json", `[]`}), executor.Invalid, "no images"},
		{"a digest that leads elsewhere", tarOf(t, file{"index.json", `{"schemaVersion":2,"manifests":[{"digest":"sha256:../../../etc/passwd","size":1}]}`}), executor.Invalid, "digest"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			m, stop := openImages(t, dir)
			_, err := m.Load(t.Context(), bytes.NewReader(tt.archive), api.LoadOptions{}, nil)
			if executor.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s and %q", err, tt.code, tt.want)
			}
			m.wg.Wait()
			nothing(t, dir)
			m.load(t, layout(t, blobs, d))
			stop()
		})
	}
}

// TestInterrupted ends a load at each step that it reports, as the end of the host would:
// what was made stays. The next host removes it, and loads the same image.
func TestInterrupted(t *testing.T) {
	p := sample(t)
	archive := p.docker(t, "x")
	for step := 0; ; step++ {
		dir := t.TempDir()
		m, stop := openImages(t, dir)
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		_, err := m.Load(ctx, bytes.NewReader(archive), api.LoadOptions{}, func(api.Progress) {
			if n == step {
				cancel()
			}
			n++
		})
		cancel()
		m.wg.Wait()
		if err == nil {
			if step < 3 {
				t.Errorf("a load has %d steps", step)
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("step %d: got %v", step, err)
		}
		nothing(t, dir)
		stop()
		m, _ = openImages(t, dir)
		if got := m.load(t, archive); len(got) != 1 {
			t.Errorf("step %d: got %v", step, got)
		}
	}
}

// TestLeftovers opens what a host has left that was killed between any two steps.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	m, stop := openImages(t, dir)
	p := sample(t)
	m.load(t, p.docker(t, "x"))
	other := picture{arch: p.arch, layers: [][]byte{p.layers[0], tarOf(t, file{"more", "m"})}}
	m.load(t, other.docker(t, "y"))
	before := onDisk(dir)
	if _, err := m.blobs.Put([]byte("a blob without a record")); err != nil {
		t.Fatal(err)
	}
	if err := m.update(t.Context(), func(tx *store.Tx) error { return tx.RemoveImage(string(digest.FromBytes(other.configJSON(t)))) }); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"ingest/half", "tmp/layers-1/x/fs/a", "tmp/removed-1/y"} {
		path = filepath.Join(dir, "images", path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	_, stop = openImages(t, dir)
	stop()
	want := map[string]int{"sha256": before["sha256"] - 3, "layers": before["layers"] - 1, "ingest": 0, "tmp": 0}
	if got := onDisk(dir); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	m, _ = openImages(t, dir)
	if list, err := m.List(); err != nil || len(list) != 1 {
		t.Errorf("got %v, %v", list, err)
	}
}

// TestLostState loses the store, and gets the records of images back.
func TestLostState(t *testing.T) {
	dir := t.TempDir()
	m, stop := openImages(t, dir)
	m.load(t, sample(t).docker(t, "x:1"))
	before := onDisk(dir)
	stop()
	if err := os.WriteFile(filepath.Join(dir, "db"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, stop = openImages(t, dir)
	if list, err := m.List(); err != nil || len(list) != 1 || !slices.Equal(list[0].Names, []string{"x:1"}) {
		t.Errorf("got %+v, %v", list, err)
	}
	use, err := m.Use(t.Context(), "x:1")
	if err != nil {
		t.Fatal(err)
	}
	use.Release()
	stop()
	if got := onDisk(dir); fmt.Sprint(got) != fmt.Sprint(before) {
		t.Errorf("got %v, want %v", got, before)
	}
}

// TestHeld removes an image that somebody is about to use, and whose layers then stay.
func TestHeld(t *testing.T) {
	dir := t.TempDir()
	m, stop := openImages(t, dir)
	m.load(t, sample(t).docker(t, "x"))
	use, err := m.Use(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Remove(t.Context(), "x", false); err != nil {
		t.Fatal(err)
	}
	if got := onDisk(dir)["layers"]; got != 2 {
		t.Errorf("%d layers are left, want 2", got)
	}
	if err := m.roots.Create("c", use.Layers); err != nil {
		t.Fatal(err)
	}
	use.Release()
	if _, err := m.Sweep(); err != nil {
		t.Fatal(err)
	}
	if got := onDisk(dir)["layers"]; got != 2 {
		t.Errorf("%d layers are left with a root file system, want 2", got)
	}
	if err := m.roots.Remove("c"); err != nil {
		t.Fatal(err)
	}
	m.Free()
	stop()
	nothing(t, dir)
}

// TestMissingLayer uses an image whose layer somebody has removed.
func TestMissingLayer(t *testing.T) {
	dir := t.TempDir()
	m, _ := openImages(t, dir)
	m.load(t, sample(t).docker(t, "x"))
	if err := os.RemoveAll(filepath.Join(dir, "images", "layers")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "images", "layers"), 0o700); err != nil {
		t.Fatal(err)
	}
	use, err := m.Use(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	defer use.Release()
	if got := onDisk(dir)["layers"]; got != 2 {
		t.Errorf("%d layers, want 2", got)
	}
}

// TestImport makes an image of an archive, and of garbage.
func TestImport(t *testing.T) {
	dir := t.TempDir()
	m, stop := openImages(t, dir)
	raw := tarOf(t, file{"bin/sh", "sh"})
	for _, archive := range [][]byte{raw, zipped(t, raw)} {
		image, err := m.Import(t.Context(), bytes.NewReader(archive), api.ImportOptions{Name: "base", Message: "as it came"}, nil)
		if err != nil || !slices.Equal(image.Names, []string{"base:latest"}) || image.Size != 2 {
			t.Errorf("got %+v, %v", image, err)
		}
	}
	if steps, err := m.History("base"); err != nil || len(steps) != 1 || steps[0].Comment != "as it came" {
		t.Errorf("history: got %+v, %v", steps, err)
	}
	if _, err := m.Import(t.Context(), strings.NewReader(strings.Repeat("garbage", 200)), api.ImportOptions{}, nil); executor.CodeOf(err) != executor.Invalid {
		t.Errorf("garbage: got %v", err)
	}
	pruned, err := m.Prune(t.Context(), api.PruneImagesOptions{DryRun: true})
	if err != nil || len(pruned.Images) != 1 {
		t.Errorf("dry run: got %+v, %v", pruned, err)
	}
	pruned, err = m.Prune(t.Context(), api.PruneImagesOptions{})
	if err != nil || len(pruned.Images) != 1 || len(pruned.Images[0].Names) != 0 {
		t.Errorf("prune: got %+v, %v", pruned, err)
	}
	if pruned, err = m.Prune(t.Context(), api.PruneImagesOptions{All: true}); err != nil || len(pruned.Images) != 1 {
		t.Errorf("prune all: got %+v, %v", pruned, err)
	}
	stop()
	nothing(t, dir)
}

// TestComplete puts the config of an image into options.
func TestComplete(t *testing.T) {
	config := v1.ImageConfig{
		Entrypoint: []string{"/entry"}, Cmd: []string{"cmd"}, Env: []string{"A=1", "nonsense", "=x"}, User: "web", WorkingDir: "srv",
		StopSignal: "SIGQUIT", Labels: map[string]string{"a": "image", "b": "image"},
	}
	for _, tt := range []struct {
		name       string
		args       []string
		entrypoint []string
		want       []string
	}{
		{"as it is", nil, nil, []string{"/entry", "cmd"}},
		{"a command", []string{"x"}, nil, []string{"/entry", "x"}},
		{"an entrypoint", nil, []string{"/other"}, []string{"/other"}},
		{"both", []string{"x"}, []string{"/other"}, []string{"/other", "x"}},
	} {
		opts := api.ContainerOptions{Entrypoint: tt.entrypoint, Labels: map[string]string{"a": "own"}}
		opts.Process.Args, opts.Process.Env = tt.args, []string{"A=2"}
		if err := (&Use{config: &config}).Complete(&opts); err != nil {
			t.Fatal(err)
		}
		p := opts.Process
		if !slices.Equal(p.Args, tt.want) || !slices.Equal(p.Env, []string{"A=1", "A=2"}) || p.User != "web" || p.Cwd != "/srv" || opts.StopSignal != 3 || opts.Labels["a"] != "own" || opts.Labels["b"] != "image" {
			t.Errorf("%s: got %+v", tt.name, opts)
		}
	}
	opts := api.ContainerOptions{}
	opts.Process.Mounts = []specs.Mount{{Type: "tmpfs", Destination: "/mounted/"}}
	opts.PublishAll, opts.Publish = true, []publish.Port{{HostPort: 8080, ContainerPort: 80}}
	config.ExposedPorts = map[string]struct{}{"80/tcp": {}, "53/udp": {}}
	config.Volumes = map[string]struct{}{"/mounted": {}, "/data/": {}, "/": {}, "other": {}}
	if err := (&Use{config: &config}).Complete(&opts); err != nil {
		t.Fatal(err)
	}
	if want := []publish.Port{{HostPort: 8080, ContainerPort: 80}, {ContainerPort: 53, Protocol: publish.UDP}, {ContainerPort: 80, Protocol: publish.TCP}}; !slices.Equal(opts.Publish, want) {
		t.Errorf("ports: got %v, want %v", opts.Publish, want)
	}
	var mounts []string
	for _, m := range opts.Process.Mounts {
		mounts = append(mounts, m.Type+":"+m.Source+":"+m.Destination)
	}
	if want := []string{"tmpfs::/mounted/", "volume::/data", "volume::/other"}; !slices.Equal(mounts, want) {
		t.Errorf("mounts: got %v, want %v", mounts, want)
	}
	for name, c := range map[string]v1.ImageConfig{"no command": {}, "stop signal": {Cmd: []string{"x"}, StopSignal: "SIGNONSENSE"}} {
		if err := (&Use{config: &c}).Complete(new(api.ContainerOptions)); executor.CodeOf(err) != executor.Invalid {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
}
