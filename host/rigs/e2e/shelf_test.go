package e2e

import (
	"archive/tar"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
)

// shelf is a registry on the loopback, with images whose blobs are files.
type shelf struct {
	dir, host string
	// manifests has them by the repository, each with one image.
	manifests map[string][]byte
	sent      atomic.Int64
	// rate is how many bytes are sent a second, at most, or 0.
	rate atomic.Int64
	// pushed has what was pushed, and unfinished what is.
	pushes
}

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// newShelf serves blobs from a directory, which may have some already.
func newShelf(t testing.TB, dir string) *shelf {
	s := &shelf{dir: dir, manifests: map[string][]byte{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.host = strings.TrimPrefix(server.URL, "http://")
	return s
}

func (s *shelf) path(digest string) string {
	return filepath.Join(s.dir, filepath.Base(strings.TrimPrefix(digest, "sha256:")))
}

// ServeHTTP implements http.Handler.
func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ref := strings.TrimPrefix(r.URL.Path, "/v2/"), filepath.Base(r.URL.Path)
	kind := filepath.Base(filepath.Dir(r.URL.Path))
	switch {
	case name == "":
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		s.servePush(w, r)
	case kind == "manifests":
		manifest := s.manifest(strings.TrimSuffix(name, "/manifests/"+ref), ref)
		if manifest == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", typeOf(manifest))
		w.Header().Set("Docker-Content-Digest", sum(manifest))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(manifest))
	default:
		f, err := os.Open(s.path(ref))
		if err != nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		defer f.Close()
		w.Header().Set("Docker-Content-Digest", ref)
		http.ServeContent(&metered{w, s}, r, "", time.Time{}, f)
	}
}

// manifest returns the manifest of a repository, or a pushed one, or nil.
func (s *shelf) manifest(repository, ref string) []byte {
	if m := s.manifests[repository]; m != nil {
		return m
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pushed[repository+"@"+ref]
}

func typeOf(manifest []byte) string {
	var head struct{ MediaType string }
	_ = json.Unmarshal(manifest, &head)
	if head.MediaType == "" {
		return manifestType
	}
	return head.MediaType
}

// metered counts what is sent, and sends no faster than it should.
type metered struct {
	http.ResponseWriter
	s *shelf
}

// ReadFrom implements io.ReaderFrom. Without a rate the kernel copies.
func (m *metered) ReadFrom(r io.Reader) (n int64, err error) {
	if m.s.rate.Load() == 0 {
		n, err = io.Copy(m.ResponseWriter, r)
		m.s.sent.Add(n)
		return n, err
	}
	return io.Copy(struct{ io.Writer }{m}, r)
}

// Write implements io.Writer.
func (m *metered) Write(p []byte) (int, error) {
	n, err := m.ResponseWriter.Write(p)
	m.s.sent.Add(int64(n))
	if rate := m.s.rate.Load(); rate > 0 {
		time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
	}
	return n, err
}

// put adds an image of compressed layers, which are in the directory, and returns its name.
func (s *shelf) put(t testing.TB, repository string, layers []blobOf, config map[string]any) string {
	t.Helper()
	var diffIDs []string
	var descriptors []map[string]any
	for _, l := range layers {
		diffIDs = append(diffIDs, l.diffID)
		descriptors = append(descriptors, map[string]any{"mediaType": layerType, "digest": l.digest, "size": l.size})
	}
	text, err := json.Marshal(map[string]any{"os": "linux", "architecture": runtime.GOARCH, "config": config, "rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs}})
	if err == nil {
		err = os.WriteFile(s.path(sum(text)), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "layers": descriptors,
		"config": map[string]any{"mediaType": configType, "digest": sum(text), "size": len(text)},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.manifests[repository] = manifest
	return s.host + "/" + repository + ":latest"
}

// blobOf is a layer in the directory of a shelf.
type blobOf struct {
	digest, diffID string
	size           int64
}

// base is a layer without its end, compressed, from which layers are made that differ in one
// file.
type base struct {
	file          string
	packed, plain []byte // states of hashes
	size          int64
}

// newBase makes one of what write writes.
func (s *shelf) newBase(t testing.TB, write func(w *tar.Writer, size func() int64) error) base {
	t.Helper()
	f, err := os.CreateTemp(s.dir, "base")
	if err != nil {
		t.Fatal(err)
	}
	packed, plain, size := sha256.New(), sha256.New(), new(byteCount)
	z := gzip.NewWriter(io.MultiWriter(f, packed, size))
	w := tar.NewWriter(io.MultiWriter(z, plain))
	err = write(w, func() int64 { return size.n })
	if err = errors.Join(err, w.Flush(), z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	b := base{file: f.Name(), size: size.n}
	if b.packed, err = packed.(encoding.BinaryMarshaler).MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	if b.plain, err = plain.(encoding.BinaryMarshaler).MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	return b
}

// variant adds a layer that is a base with one more file.
func (s *shelf) variant(t testing.TB, b base, name string) blobOf {
	t.Helper()
	end := tarball(t, tarFile{Header: tar.Header{Name: name}})
	compressed := gzipped(t, end)
	sumWith := func(state, end []byte) string {
		h := sha256.New()
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
			t.Fatal(err)
		}
		h.Write(end)
		return fmt.Sprintf("sha256:%x", h.Sum(nil))
	}
	l := blobOf{sumWith(b.packed, compressed), sumWith(b.plain, end), b.size + int64(len(compressed))}
	from, err := os.Open(b.file)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.Create(s.path(l.digest))
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(to, io.MultiReader(from, bytes.NewReader(compressed)))
	if err = errors.Join(err, to.Close()); err != nil {
		t.Fatal(err)
	}
	return l
}

type byteCount struct{ n int64 }

// Write implements io.Writer.
func (c *byteCount) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }

// usrBases makes n bases of size bytes each, compressed, of what this machine has in /usr:
// directories in an order that is the same each time, and no file that is very large. Their
// sizes, and how far they can be compressed, are those of real images.
func (s *shelf) usrBases(t testing.TB, n int, size int64) (bases []base) {
	t.Helper()
	byDir := map[string][]string{}
	err := filepath.WalkDir("/usr", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == "/usr/local" || path == "/usr/src":
			return fs.SkipDir
		case d.Type().IsRegular():
			byDir[filepath.Dir(path)] = append(byDir[filepath.Dir(path)], path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	order := func(dir string) uint64 { h := fnv.New64a(); _, _ = io.WriteString(h, dir); return h.Sum64() }
	var files []string
	for _, dir := range slices.SortedFunc(maps.Keys(byDir), func(a, b string) int { return cmp.Compare(order(a), order(b)) }) {
		files = append(files, byDir[dir]...)
	}
	for range n {
		bases = append(bases, s.newBase(t, func(w *tar.Writer, written func() int64) error {
			seen := map[string]bool{"/": true}
			for ; written() < size && len(files) > 0; files = files[1:] {
				if err := addFile(w, files[0], seen); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return bases
}

// addFile adds a file of this machine to an archive, unless it is very large, and before it
// the directories above it that are not in it yet.
func addFile(w *tar.Writer, path string, seen map[string]bool) error {
	info, err := os.Lstat(path)
	if err != nil || info.Size() > 16<<20 {
		return err
	}
	if dir := filepath.Dir(path); !seen[dir] {
		seen[dir] = true
		if err := addFile(w, dir, seen); err != nil {
			return err
		}
	}
	h, err := tar.FileInfoHeader(info, "")
	if err != nil {
		return err
	}
	h.Name = path[1:]
	if info.IsDir() {
		h.Name += "/"
	}
	if err := w.WriteHeader(h); err != nil || info.IsDir() {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}
