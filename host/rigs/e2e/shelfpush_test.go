package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// pushes is the part of a registry that takes images.
type pushes struct {
	mu sync.Mutex
	// pushed has manifests, by REPOSITORY@TAG and REPOSITORY@DIGEST.
	pushed  map[string][]byte
	uploads int
}

// servePush takes blobs and manifests. An upload is a file beside the blobs until it is whole.
func (s *shelf) servePush(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	if repository, ref, ok := strings.Cut(path, "/manifests/"); ok {
		body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if s.pushed == nil {
			s.pushed = map[string][]byte{}
		}
		s.pushed[repository+"@"+ref], s.pushed[repository+"@"+sum(body)] = body, body
		w.Header().Set("Docker-Content-Digest", sum(body))
		w.WriteHeader(http.StatusCreated)
		return
	}
	repository, id, ok := strings.Cut(path, "/blobs/uploads/")
	if !ok {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if id == "" {
		s.uploads++
		id = fmt.Sprint("upload-", s.uploads)
	}
	at := filepath.Join(s.dir, filepath.Base(id))
	size, err := appendTo(at, r.Body)
	digest := r.URL.Query().Get("digest")
	status := http.StatusAccepted
	if err == nil && r.Method != http.MethodPatch && digest != "" {
		status, err = http.StatusCreated, os.Rename(at, s.path(digest))
		w.Header().Set("Docker-Content-Digest", digest)
	}
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Location", "/v2/"+repository+"/blobs/uploads/"+id)
	w.Header().Set("Range", fmt.Sprintf("0-%d", max(size-1, 0)))
	w.WriteHeader(status)
}

// appendTo appends to a file, and returns how large it is then.
func appendTo(path string, r io.Reader) (int64, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(f, r)
	size, serr := f.Seek(0, io.SeekEnd)
	return size, errors.Join(err, serr, f.Close())
}
