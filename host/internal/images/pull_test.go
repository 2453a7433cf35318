package images

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/blob"
	"github.com/davit-run/davit/host/internal/images/manifest"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// fakeRegistry serves what a registry does, with faults.
type fakeRegistry struct {
	t     *testing.T
	host  string
	blobs map[string]string // as in a layout
	tags  map[string]v1.Descriptor

	mu   sync.Mutex
	sent int64
	// fault may answer a request for a blob instead.
	fault func(w http.ResponseWriter, r *http.Request, content []byte) bool
	token string // if not empty, it is asked for
	user  string // USER:PASSWORD; if not empty, it is asked for

	fakeUploads
}

func newRegistry(t *testing.T) *fakeRegistry {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	f := &fakeRegistry{t: t, blobs: map[string]string{}, tags: map[string]v1.Descriptor{}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.host = strings.TrimPrefix(s.URL, "http://")
	return f
}

// counting counts what is sent.
type counting struct {
	http.ResponseWriter
	f *fakeRegistry
}

func (c counting) Write(p []byte) (int, error) {
	c.f.mu.Lock()
	c.f.sent += int64(len(p))
	c.f.mu.Unlock()
	return c.ResponseWriter.Write(p)
}

func (f *fakeRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.token != "" {
		if r.URL.Path == "/token" {
			if f.refusesUser(w, r) {
				return
			}
			fmt.Fprintf(w, `{"token":%q}`, f.token)
			return
		}
		if r.Header.Get("Authorization") != "Bearer "+f.token {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="x"`, f.host))
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
	}
	if f.token == "" && f.refusesUser(w, r) {
		return
	}
	if r.URL.Path == "/v2/" {
		return
	}
	if r.Method != http.MethodGet {
		f.serveUpload(w, r)
		return
	}
	f.mu.Lock()
	kind, ref := filepath.Base(filepath.Dir(r.URL.Path)), filepath.Base(r.URL.Path)
	d, tagged := f.tags[ref]
	if tagged {
		ref = d.Digest.String()
	}
	content, ok := f.blobs["blobs/sha256/"+strings.TrimPrefix(ref, "sha256:")]
	f.mu.Unlock()
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if kind == "manifests" {
		_, _ = w.Write([]byte(content))
		return
	}
	f.mu.Lock()
	fault := f.fault
	f.mu.Unlock()
	if fault != nil && fault(w, r, []byte(content)) {
		return
	}
	http.ServeContent(counting{w, f}, r, "", time.Time{}, strings.NewReader(content))
}

// largePicture has a layer that does not get smaller.
func largePicture(t *testing.T) picture {
	noise := make([]byte, 2<<20)
	_, _ = rand.Read(noise)
	p := sample(t)
	p.layers = append(p.layers, tarOf(t, file{"noise", string(noise)}))
	return p
}

// TestPull pulls an image of an index, with a token, and again.
func TestPull(t *testing.T) {
	f := newRegistry(t)
	f.token = "secret"
	here, there := sample(t), sample(t)
	there.arch = "riscv64"
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": v1.MediaTypeImageIndex, "manifests": []v1.Descriptor{there.blobs(t, f.blobs), here.blobs(t, f.blobs)}})
	if err != nil {
		t.Fatal(err)
	}
	d := digest.FromBytes(index)
	f.blobs["blobs/sha256/"+d.Encoded()] = string(index)
	f.tags["latest"] = v1.Descriptor{Digest: d}
	dir := t.TempDir()
	m, stop := openImages(t, dir)
	name := f.host + "/team/app"
	image, err := m.Pull(t.Context(), name, api.PullOptions{}, nil)
	if err != nil || image.Platform != manifest.Here().String() || !slices.Equal(image.Names, []string{name + ":latest"}) {
		t.Fatalf("got %+v, %v", image, err)
	}
	sent := f.sent
	if _, err := m.Pull(t.Context(), name, api.PullOptions{}, nil); err != nil || f.sent != sent {
		t.Errorf("again: %v, %d bytes more", err, f.sent-sent)
	}
	if image, err := m.Pull(t.Context(), name+"@"+d.String(), api.PullOptions{Platform: "linux/riscv64"}, nil); err != nil || image.Platform != "linux/riscv64" || len(image.Names) > 0 {
		t.Errorf("by digest: got %+v, %v", image, err)
	}
	for ref, code := range map[string]executor.Code{name + ":no": executor.NotFound, "x/UPPER": executor.Invalid, "127.0.0.1:1/x": executor.Unavailable} {
		if _, err := m.Pull(t.Context(), ref, api.PullOptions{}, nil); executor.CodeOf(err) != code {
			t.Errorf("%s: got %v, want %s", ref, err, code)
		}
	}
	if _, err := m.Prune(t.Context(), api.PruneImagesOptions{All: true}); err != nil {
		t.Error(err)
	}
	stop()
	if got := onDisk(dir); got["sha256"]+got["layers"]+got["tmp"] > 0 {
		t.Errorf("left: %v", got)
	}
}

// cut sends half of what is asked for, and breaks the connection.
func cut(w http.ResponseWriter, r *http.Request, content []byte) bool {
	from := 0
	_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
	rest := content[from:]
	if len(rest) < 1000 {
		return false
	}
	if from > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(content)-1, len(content)))
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(rest)))
	if from > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	_, _ = w.Write(rest[:len(rest)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// TestPullFaults pulls from registries that do not do as they should.
func TestPullFaults(t *testing.T) {
	always := func(content string) func(http.ResponseWriter, *http.Request, []byte) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			_, _ = w.Write([]byte(content))
			return true
		}
	}
	var requests atomic.Int32
	for _, tt := range []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request, []byte) bool
		code  executor.Code
	}{
		{"connections that break", cut, ""},
		{"no ranges", func(w http.ResponseWriter, r *http.Request, content []byte) bool {
			if requests.Add(1)%2 == 1 && r.Header.Get("Range") == "" {
				return cut(w, r, content)
			}
			_, _ = w.Write(content)
			return true
		}, ""},
		{"something else", always("x"), executor.Unavailable},
		{"too much", always(strings.Repeat("x", 4<<20)), executor.Invalid},
		{"wrong bytes", func(w http.ResponseWriter, _ *http.Request, content []byte) bool {
			_, _ = w.Write(bytes.Repeat([]byte{'x'}, len(content)))
			return true
		}, executor.Invalid},
		{"denied", func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			w.WriteHeader(http.StatusForbidden)
			return true
		}, executor.FailedPrecondition},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newRegistry(t)
			f.fault = tt.fault
			f.tags["1"] = largePicture(t).blobs(t, f.blobs)
			dir := t.TempDir()
			m, stop := openImages(t, dir)
			m.fetchPause = time.Millisecond
			_, err := m.Pull(t.Context(), f.host+"/app:1", api.PullOptions{}, nil)
			if executor.CodeOf(err) != tt.code {
				t.Errorf("got %v, want %q", err, tt.code)
			}
			// Nothing poisons the next pull.
			f.mu.Lock()
			f.fault = nil
			f.mu.Unlock()
			if _, err := m.Pull(t.Context(), f.host+"/app:1", api.PullOptions{}, nil); err != nil {
				t.Errorf("afterwards: %v", err)
			}
			stop()
		})
	}
}

// TestPullResumed ends pulls before they are complete, as the end of a host does, and opens
// the images again. Each goes on where the one before was.
func TestPullResumed(t *testing.T) {
	f := newRegistry(t)
	f.tags["1"] = largePicture(t).blobs(t, f.blobs)
	const rounds = 4
	var from []int64 // where parts of the large blob began
	var quarter, until int64
	f.fault = func(w http.ResponseWriter, r *http.Request, content []byte) bool {
		if len(content) < 1<<20 {
			return false
		}
		var at int64
		n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &at)
		f.mu.Lock()
		if n == 1 {
			from = append(from, at)
		}
		end := min(until, int64(len(content)))
		f.mu.Unlock()
		if end == int64(len(content)) {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(int64(len(content))-at))
		if n == 1 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, len(content)-1, len(content)))
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(content[at:end])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return true
	}
	for _, content := range f.blobs {
		quarter = max(quarter, int64(len(content))/rounds)
	}
	dir := t.TempDir()
	for round := int64(1); round <= rounds; round++ {
		f.mu.Lock()
		if until = round * quarter; round == rounds {
			until = math.MaxInt64
		}
		end := until
		f.mu.Unlock()
		m, stop := openImages(t, dir)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := m.Pull(ctx, f.host+"/app:1", api.PullOptions{}, func(now api.Progress) {
			if now.Step == api.StepFetch && now.Done >= end {
				cancel()
			}
		})
		cancel()
		stop()
		if round < rounds && !errors.Is(err, context.Canceled) || round == rounds && err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	if want := []int64{quarter, 2 * quarter, 3 * quarter}; !slices.Equal(from, want) {
		t.Errorf("the pulls went on at %v, want %v", from, want)
	}
}

// TestPullKeepsWholeBlobs ends a pull when one of its blobs is whole and another one is
// refused, and opens the images again. Nothing of the image is there then but for that blob,
// which the next pull does not fetch again.
func TestPullKeepsWholeBlobs(t *testing.T) {
	f := newRegistry(t)
	f.tags["1"] = largePicture(t).blobs(t, f.blobs)
	dir := t.TempDir()
	var refused atomic.Bool
	f.fault = func(w http.ResponseWriter, r *http.Request, content []byte) bool {
		if len(content) > 1<<20 || !bytes.HasPrefix(content, []byte{0x1f, 0x8b}) {
			return false
		}
		for r.Context().Err() == nil { // the large one is fetched beside this one
			blobs, _ := filepath.Glob(filepath.Join(dir, "images/blobs/sha256/*"))
			for _, at := range blobs {
				if st, err := os.Stat(at); err == nil && st.Size() > 1<<20 {
					refused.Store(true)
					w.WriteHeader(http.StatusForbidden)
					return true
				}
			}
			time.Sleep(time.Millisecond)
		}
		return true
	}
	m, stop := openImages(t, dir)
	if _, err := m.Pull(t.Context(), f.host+"/app:1", api.PullOptions{}, nil); executor.CodeOf(err) != executor.FailedPrecondition || !refused.Load() {
		t.Fatalf("got %v", err)
	}
	stop()
	if got := onDisk(dir); got["sha256"] > 0 || got["layers"] > 0 {
		t.Errorf("left: %v", got)
	}
	f.mu.Lock()
	f.fault, f.sent = nil, 0
	f.mu.Unlock()
	m, stop = openImages(t, dir)
	if _, err := m.Pull(t.Context(), f.host+"/app:1", api.PullOptions{}, nil); err != nil || f.sent > 1<<20 {
		t.Errorf("again: %v, %d bytes were fetched", err, f.sent)
	}
	stop()
	if left := contents(filepath.Join(dir, "images/ingest", blob.PartialDir)); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
