package storm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/davit-run/davit/host/rigs/storm/internal/tree"
)

// gallery is a registry of images on the loopback, which sends slowly, and sometimes not all.
type gallery struct {
	images []picture
	// layers has what each layer holds in dataDir, by the digest of its archive.
	layers map[string]map[string]string
	blobs  map[string][]byte // by digest; manifests by name too
	sent   atomic.Int64
	server http.Server
	wg     sync.WaitGroup

	mu  sync.Mutex
	rnd *rand.Rand
}

// picture is an image, and what its root file system has in dataDir.
type picture struct {
	name string
	tree string // its sum
	size int64  // of its blobs
	// saved is an archive of the image, and flat one of its root file system.
	saved, flat []byte
}

// dataDir is the directory of an image's files. The root file system of the storm is beside it.
const dataDir = "data"

// newGallery makes n images, which share their lowest layer, and serves them.
func newGallery(rootfs string, seed uint64, n int) (*gallery, error) {
	g := &gallery{layers: map[string]map[string]string{}, blobs: map[string][]byte{}, rnd: rand.New(rand.NewPCG(seed, 1))}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	base, err := rootLayer(rootfs)
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	g.layers[digestOf(make([]byte, 1024))] = nil // of a commit that has changed nothing
	for i := range n {
		p, err := g.paint(listener.Addr().String(), fmt.Sprintf("storm/i%d", i), base)
		if err != nil {
			_ = listener.Close()
			return nil, err
		}
		g.images = append(g.images, p)
	}
	g.server.Handler = g
	g.wg.Go(func() { _ = g.server.Serve(listener) })
	return g, nil
}

func (g *gallery) close() {
	_ = g.server.Close()
	g.wg.Wait()
}

// rootLayer returns an archive of a root file system.
func rootLayer(rootfs string) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.AddFS(os.DirFS(rootfs)); err != nil {
		return nil, err
	}
	return b.Bytes(), w.Close()
}

// paint makes an image of a layer and two more, of which the last changes, removes and hides
// files of the other.
func (g *gallery) paint(host, name string, base []byte) (picture, error) {
	all := map[string]string{} // what a container sees
	second := map[string]string{}
	for i := range 30 {
		second[fmt.Sprintf("%s/%d/%d", dataDir, i%5, i)] = g.noise(g.rnd.IntN(100 << 10))
	}
	maps.Copy(all, second)
	third := map[string]string{dataDir + "/own": name, dataDir + "/0/0": g.noise(1000), dataDir + "/1/.wh.1": "", dataDir + "/2/.wh..wh..opq": "", dataDir + "/2/new": "new"}
	maps.DeleteFunc(all, func(at, _ string) bool { return at == dataDir+"/1/1" || strings.HasPrefix(at, dataDir+"/2/") })
	for at, content := range third {
		if !strings.HasPrefix(filepath.Base(at), ".wh.") {
			all[at] = content
		}
	}
	p := picture{name: host + "/" + name}
	type descriptor struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int    `json:"size"`
	}
	add := func(kind string, raw []byte) descriptor {
		d := digestOf(raw)
		g.blobs[d] = raw
		p.size += int64(len(raw))
		return descriptor{kind, d, len(raw)}
	}
	var layers []descriptor
	var diffIDs []string
	saved := map[string]string{}
	for _, files := range []map[string]string{nil, second, third} {
		archive := base
		if files != nil {
			archive = archiveOf(files)
		}
		id := digestOf(archive)
		diffIDs = append(diffIDs, id)
		g.layers[id] = files
		saved[id+".tar"] = string(archive)
		layers = append(layers, add("application/vnd.oci.image.layer.v1.tar+gzip", zipped(archive)))
	}
	config, err := json.Marshal(map[string]any{
		"os": "linux", "architecture": runtime.GOARCH, "config": map[string]any{"Entrypoint": []string{"/bin/" + workload}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs},
	})
	if err != nil {
		return p, err
	}
	manifest, err := json.Marshal(map[string]any{"schemaVersion": 2, "config": add("application/vnd.oci.image.config.v1+json", config), "layers": layers})
	if err != nil {
		return p, err
	}
	g.blobs[name], g.blobs[digestOf(manifest)] = manifest, manifest
	list, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{p.name}, "Layers": []string{diffIDs[0] + ".tar", diffIDs[1] + ".tar", diffIDs[2] + ".tar"}}})
	if err != nil {
		return p, err
	}
	saved["config.json"], saved["manifest.json"] = string(config), string(list)
	p.saved = archiveOf(saved)
	p.flat = append(bytes.Clone(base[:len(base)-1024]), archiveOf(all)...) // without its end
	g.layers[digestOf(p.flat)] = all
	p.tree, err = sumOf(all)
	return p, err
}

func (g *gallery) noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.rnd.Uint32())
	}
	return string(b)
}

// sumOf returns the sum of a tree with some files, by their paths with [dataDir].
func sumOf(files map[string]string) (string, error) {
	return tree.Sum(func(yield func(string, io.Reader) error) error {
		for at, content := range files {
			if err := yield(strings.TrimPrefix(at, dataDir+"/"), strings.NewReader(content)); err != nil {
				return err
			}
		}
		return nil
	})
}

func archiveOf(files map[string]string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b) // which writes to memory
	for _, at := range slices.Sorted(maps.Keys(files)) {
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: at, Mode: 0o644, Size: int64(len(files[at]))})
		_, _ = io.WriteString(w, files[at])
	}
	_ = w.Close()
	return b.Bytes()
}

func zipped(raw []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	_, _ = w.Write(raw)
	_ = w.Close()
	return b.Bytes()
}

func digestOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// ServeHTTP implements http.Handler: the part of the distribution protocol that a pull needs.
func (g *gallery) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, ref := filepath.Base(filepath.Dir(r.URL.Path)), filepath.Base(r.URL.Path)
	if kind == "manifests" && !strings.HasPrefix(ref, "sha256:") {
		ref = strings.TrimPrefix(filepath.Dir(filepath.Dir(r.URL.Path)), "/v2/")
	}
	content, ok := g.blobs[ref]
	switch {
	case r.URL.Path == "/v2/":
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	case kind == "manifests":
		_, _ = w.Write(content)
	default:
		http.ServeContent(&slowly{w, g}, r, "", time.Time{}, bytes.NewReader(content))
	}
}

// slowly sends with short pauses, and sometimes cuts the connection.
type slowly struct {
	http.ResponseWriter
	g *gallery
}

// Write implements io.Writer.
func (s *slowly) Write(p []byte) (int, error) {
	s.g.mu.Lock()
	wait, cut := upTo(s.g.rnd, 5*time.Millisecond), s.g.rnd.IntN(500) == 0
	s.g.mu.Unlock()
	if cut {
		panic(http.ErrAbortHandler)
	}
	time.Sleep(wait)
	n, err := s.ResponseWriter.Write(p)
	s.g.sent.Add(int64(n))
	return n, err
}

// checkStore looks at the images that a host has on its disk, while it does nothing with
// them: each blob is what its name says, and each layer has what was in its archive.
func (g *gallery) checkStore(dir string, bad func(format string, args ...any)) {
	blobs, _ := filepath.Glob(filepath.Join(dir, "blobs/sha256/*"))
	for _, at := range blobs {
		if raw, err := os.ReadFile(at); err != nil || digestOf(raw) != "sha256:"+filepath.Base(at) {
			bad("blob %s has the digest %s, %v", at, digestOf(raw), err)
		}
	}
	layers, _ := filepath.Glob(filepath.Join(dir, "layers/*"))
	for _, at := range layers {
		var about struct {
			DiffID string `json:"diff_id"`
		}
		raw, err := os.ReadFile(filepath.Join(at, "layer.json"))
		if err == nil {
			err = json.Unmarshal(raw, &about)
		}
		files, known := g.layers[about.DiffID]
		if err != nil || !known {
			bad("layer %s: %q, %v", at, raw, err)
			continue
		}
		// Whiteouts are devices there, and attributes.
		plain := maps.Clone(files)
		maps.DeleteFunc(plain, func(at, _ string) bool { return strings.HasPrefix(filepath.Base(at), ".wh.") })
		want, _ := sumOf(plain)
		if got, err := tree.SumDir(filepath.Join(at, "fs", dataDir)); err != nil || got != want {
			bad("layer %s has other files than its archive: %s, want %s, %v", at, got, want, err)
		}
	}
}

// leftOfImages returns what a host without images has of them on its disk. What was fetched in
// part is kept for a day.
func leftOfImages(state string) (found []string) {
	for _, pattern := range []string{"images/blobs/sha256/*", "images/ingest/*", "images/layers/*", "images/tmp/*", "roots/*"} {
		at, _ := filepath.Glob(filepath.Join(state, pattern))
		found = append(found, at...)
	}
	return slices.DeleteFunc(found, func(at string) bool { return strings.HasSuffix(at, "/ingest/partial") })
}
