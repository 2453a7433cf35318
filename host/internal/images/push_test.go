package images

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// fakeUploads are what a registry gets. Its mutex is that of the registry.
type fakeUploads struct {
	owned   map[string]bool // blobs that a repository has: REPOSITORY@DIGEST
	mounted []string        // digests
	got     int64           // bytes of blobs
	// refuse may answer a request instead.
	refuse func(w http.ResponseWriter, r *http.Request) bool
}

// serveUpload answers what is no request for content.
func (f *fakeRegistry) serveUpload(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	refuse := f.refuse
	f.mu.Unlock()
	if refuse != nil && refuse(w, r) {
		return
	}
	name, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/blobs/")
	if !ok {
		name, rest, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.owned == nil {
		f.owned = map[string]bool{}
	}
	d, want := digest.FromBytes(raw), r.URL.Query().Get("digest")
	switch {
	case r.Method == http.MethodHead && !f.owned[name+"@"+rest]:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodHead:
	case r.Method == http.MethodPost && f.owned[r.URL.Query().Get("from")+"@"+r.URL.Query().Get("mount")]:
		mount := r.URL.Query().Get("mount")
		f.mounted = append(f.mounted, mount)
		f.owned[name+"@"+mount] = true
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPost:
		w.Header().Set("Location", "/v2/"+name+"/blobs/uploads/1?state=x")
		w.WriteHeader(http.StatusAccepted)
	case want == "": // a manifest
		f.blobs["blobs/sha256/"+d.Encoded()] = string(raw)
		f.tags[rest] = v1.Descriptor{Digest: d, MediaType: r.Header.Get("Content-Type")}
		w.WriteHeader(http.StatusCreated)
	case want != d.String() || r.URL.Query().Get("state") != "x" || r.ContentLength != int64(len(raw)):
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"errors":[{"code":"DIGEST_INVALID","message":"another digest"}]}`)
	default:
		f.got += int64(len(raw))
		f.owned[name+"@"+want] = true
		f.blobs["blobs/sha256/"+d.Encoded()] = string(raw)
		w.WriteHeader(http.StatusCreated)
	}
}

// TestPush pushes an image with a token, again, and under another name, and pulls it from
// another host.
func TestPush(t *testing.T) {
	f := newRegistry(t)
	f.token = "secret"
	dir := t.TempDir()
	m, _ := openImages(t, dir)
	p, blobs, name := sample(t), map[string]string{}, f.host+"/team/app"
	d := p.blobs(t, blobs)
	d.Annotations = map[string]string{"io.containerd.image.name": name + ":v1"}
	was := m.load(t, layout(t, blobs, d))[0]

	done := map[string]int64{}
	pushed, err := m.Push(t.Context(), name+":v1", func(p api.Progress) {
		if p.Step == api.StepPush && p.Done == p.Total {
			done[p.What] = p.Total
		}
	})
	if err != nil || pushed.Digest != was.Digest || len(done) != 3 {
		t.Fatalf("got %+v, %v, progress %v", pushed, err, done)
	}
	if got := f.tags["v1"]; got.Digest.String() != was.Digest || got.MediaType != v1.MediaTypeImageManifest {
		t.Errorf("the tag is of %+v, want %s", got, was.Digest)
	}
	for path, content := range blobs {
		if f.blobs[path] != content {
			t.Errorf("%s was not pushed as it was", path)
		}
	}
	got := f.got
	if _, err := m.Push(t.Context(), name+":v1", nil); err != nil || f.got != got {
		t.Errorf("again: %v, %d bytes more", err, f.got-got)
	}
	if err := m.Tag(t.Context(), name+":v1", f.host+"/other"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Push(t.Context(), f.host+"/other", nil); err != nil || f.got != got || len(f.mounted) != 3 {
		t.Errorf("to another repository: %v, %d bytes more, mounted %v", err, f.got-got, f.mounted)
	}
	elsewhere, _ := openImages(t, t.TempDir())
	if image, err := elsewhere.Pull(t.Context(), name+":v1", api.PullOptions{}, nil); err != nil || image.ID != was.ID || image.Digest != was.Digest {
		t.Errorf("pulled: got %+v, %v, want %+v", image, err, was)
	}
	for ref, code := range map[string]executor.Code{name + ":no": executor.NotFound, name + "@" + was.Digest: executor.Invalid, "x/UPPER": executor.Invalid} {
		if _, err := m.Push(t.Context(), ref, nil); executor.CodeOf(err) != code {
			t.Errorf("%s: got %v, want %s", ref, err, code)
		}
	}
}

// TestPushFaults pushes to registries that break, refuse and keep silent.
func TestPushFaults(t *testing.T) {
	f := newRegistry(t)
	dir := t.TempDir()
	m, _ := openImages(t, dir)
	m.fetchPause = time.Millisecond
	name := f.host + "/app:1"
	image := m.load(t, largePicture(t).docker(t, name, f.host+"/other:1"))[0]
	refuse := func(fn func(w http.ResponseWriter, r *http.Request) bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.refuse = fn
	}

	refuse(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusForbidden)
		}
		return r.Method == http.MethodPost
	})
	if _, err := m.Push(t.Context(), name, nil); executor.CodeOf(err) != executor.FailedPrecondition || !strings.Contains(err.Error(), "log in") {
		t.Errorf("refused: got %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	refuse(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			cancel()
			panic(http.ErrAbortHandler)
		}
		return false
	})
	if _, err := m.Push(ctx, name, nil); executor.CodeOf(err) != executor.Canceled {
		t.Errorf("cancelled: got %v", err)
	}

	broken := 0
	refuse(func(_ http.ResponseWriter, r *http.Request) bool {
		f.mu.Lock()
		breaks := r.Method == http.MethodPut && r.ContentLength > 1<<20 && broken < 2
		if breaks {
			broken++
		}
		f.mu.Unlock()
		if breaks {
			_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
			panic(http.ErrAbortHandler)
		}
		return false
	})
	if _, err := m.Push(t.Context(), name, nil); err != nil || broken != 2 {
		t.Errorf("a broken connection: %v, broken %d times", err, broken)
	}
	if f.tags["1"].Digest.String() != image.Digest {
		t.Errorf("the tag is of %s, want %s", f.tags["1"].Digest, image.Digest)
	}

	// A layer that was changed on disk is refused, and a missing one is of no matter if the
	// registry has it.
	refuse(nil)
	details, err := m.Inspect(name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "images", "blobs", "sha256", strings.TrimPrefix(details.Layers[0].Digest, "sha256:"))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := slices.Clone(good)
	bad[0]++
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.owned = nil
	f.mu.Unlock()
	if _, err := m.Push(t.Context(), name, nil); executor.CodeOf(err) != executor.FailedPrecondition || !strings.Contains(err.Error(), "another digest") {
		t.Errorf("a changed blob: got %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Push(t.Context(), name, nil); executor.CodeOf(err) != executor.FailedPrecondition || !strings.Contains(err.Error(), "missing on disk") {
		t.Errorf("a missing blob: got %v", err)
	}
	f.mu.Lock()
	f.owned["app@"+details.Layers[0].Digest] = true
	f.mu.Unlock()
	if _, err := m.Push(t.Context(), name, nil); err != nil {
		t.Errorf("a missing blob that the registry has: %v", err)
	}
}
