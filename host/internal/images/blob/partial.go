package blob

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/go-digest"
)

// PartialDir is the directory, in that of the drafts, of those that can be gone on with.
const PartialDir = "partial"

// Resume goes on with a blob that was begun, perhaps by an earlier host, or begins it. The
// draft is kept when it is given up, and when it becomes a blob: that is removed if nobody
// comes to need it, as when the pull of an image is cut off after some of its blobs. Nobody
// else may have the draft of that blob, until [Store.Forget].
func (s *Store) Resume(d digest.Digest) (*Draft, error) {
	dir := filepath.Join(s.ingest, PartialDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, s.explain(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, d.Encoded()), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, s.explain(err)
	}
	draft := newDraft(s, f)
	draft.kept = true
	if draft.size, err = io.Copy(draft.sum, f); err != nil {
		draft.Abort()
		return nil, s.explain(err)
	}
	return draft, nil
}

// Reset makes a draft empty.
func (d *Draft) Reset() error {
	d.sum.Reset()
	d.size = 0
	_, err := d.f.Seek(0, io.SeekStart)
	if err = errors.Join(err, d.f.Truncate(0)); err != nil {
		return d.store.explain(err)
	}
	return nil
}

// Forget removes the draft of a blob that could be gone on with. Nobody else may have it.
func (s *Store) Forget(d digest.Digest) {
	_ = os.Remove(filepath.Join(s.ingest, PartialDir, d.Encoded())) // or [Store.RemovePartial] does it
}

// RemovePartial removes the drafts that nobody has gone on with since a time.
func (s *Store) RemovePartial(before time.Time, inUse func(digest.Digest) bool) (freed int64, err error) {
	dir := filepath.Join(s.ingest, PartialDir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	for _, e := range entries {
		info, ierr := e.Info()
		if ierr != nil || info.ModTime().After(before) || inUse(digest.NewDigestFromEncoded(digest.SHA256, e.Name())) {
			continue
		}
		if rerr := os.Remove(filepath.Join(dir, e.Name())); rerr != nil {
			err = errors.Join(err, executor.Errorf(executor.Unavailable, "images: %w", rerr))
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink == 1 { // or it is a blob too
			freed += info.Size()
		}
	}
	return freed, err
}
