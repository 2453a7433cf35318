// Package blob keeps the blobs of images: files named by the digest of what they hold.
//
// A blob is written under another name, synced and then renamed, so that it is whole if it
// is there, also after a power failure.
package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/opencontainers/go-digest"
)

// Store has blobs. It is safe for concurrent use.
type Store struct{ dir, ingest string }

// NewStore returns the store of the blobs in a directory. They are written in ingest, which
// is on the same file system. Both exist.
func NewStore(dir, ingest string) *Store { return &Store{dir, ingest} }

// CheckDigest checks a digest that somebody else wrote. Those of other algorithms than
// SHA-256 are valid, and seen nowhere.
func CheckDigest(d digest.Digest) error {
	if err := d.Validate(); err != nil || d.Algorithm() != digest.SHA256 {
		return executor.Errorf(executor.Invalid, "%q is not a SHA-256 digest", d)
	}
	return nil
}

// path returns where a blob is. The digest is valid.
func (s *Store) path(d digest.Digest) string { return filepath.Join(s.dir, d.Encoded()) }

// Open opens a blob. The error is NotFound if there is none.
func (s *Store) Open(d digest.Digest) (*os.File, error) {
	f, err := linux.Open(s.path(d), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, executor.Errorf(executor.NotFound, "blob %s is missing", d)
	}
	if err != nil {
		return nil, executor.Errorf(executor.Unavailable, "blob %s: %w", d, err)
	}
	return f, nil
}

// Read returns what a small blob holds, after its digest is verified.
func (s *Store) Read(d digest.Digest, most int64) ([]byte, error) {
	f, err := s.Open(d)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := linux.ReadAll(f, most)
	switch {
	case err != nil:
		return nil, executor.Errorf(executor.Invalid, "blob %s: %w", d, err)
	case digest.FromBytes(text) != d:
		return nil, executor.Errorf(executor.Internal, "blob %s is damaged on disk; load or pull its image again", d)
	}
	return text, nil
}

// Has reports whether there is a blob.
func (s *Store) Has(d digest.Digest) bool {
	_, err := os.Lstat(s.path(d))
	return err == nil
}

// Size returns the size of a blob in bytes, or 0 if there is none.
func (s *Store) Size(d digest.Digest) int64 {
	st, err := os.Lstat(s.path(d))
	if err != nil {
		return 0
	}
	return st.Size()
}

// Check checks that there is a blob with a size. It does not read it.
func (s *Store) Check(d digest.Digest, size int64) error {
	st, err := os.Lstat(s.path(d))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return executor.Errorf(executor.FailedPrecondition, "blob %s is missing on disk; load or pull its image again", d)
	case err != nil:
		return executor.Errorf(executor.Unavailable, "blob %s: %w", d, err)
	case st.Size() != size:
		return executor.Errorf(executor.Internal, "blob %s is damaged on disk: it has %d bytes, and its manifest says %d; load or pull its image again", d, st.Size(), size)
	}
	return nil
}

// List returns the digests of all blobs.
func (s *Store) List() ([]digest.Digest, error) {
	entries, err := os.ReadDir(s.dir)
	all := make([]digest.Digest, len(entries))
	for i, e := range entries {
		all[i] = digest.NewDigestFromEncoded(digest.SHA256, e.Name())
	}
	return all, err
}

// Remove removes a blob.
func (s *Store) Remove(d digest.Digest) error { return os.Remove(s.path(d)) }

// Put writes a small blob.
func (s *Store) Put(text []byte) (digest.Digest, error) {
	d, err := s.Create()
	if err != nil {
		return "", err
	}
	defer d.Abort()
	if _, err := d.Write(text); err != nil {
		return "", err
	}
	return d.Digest(), d.Commit()
}

// Draft is a blob that is being written. One goroutine uses it at a time.
type Draft struct {
	store *Store
	f     *os.File
	sum   hash.Hash
	size  int64
	over  bool
	kept  bool // also when it is given up, or has become a blob
}

func newDraft(s *Store, f *os.File) *Draft { return &Draft{store: s, f: f, sum: sha256.New()} }

// Create begins a blob. Whoever calls it calls Abort at the end, also after Commit.
func (s *Store) Create() (*Draft, error) {
	f, err := os.CreateTemp(s.ingest, "")
	if err != nil {
		return nil, s.explain(err)
	}
	return newDraft(s, f), nil
}

func (s *Store) explain(err error) error {
	return executor.ExplainDisk(s.dir, executor.Errorf(executor.Unavailable, "images: %w", err))
}

// Write implements io.Writer.
func (d *Draft) Write(p []byte) (int, error) {
	n, err := d.f.Write(p)
	_, _ = d.sum.Write(p[:n]) // never fails
	d.size += int64(n)
	if err != nil {
		err = d.store.explain(err)
	}
	return n, err
}

// Size returns how many bytes were written.
func (d *Draft) Size() int64 { return d.size }

// Digest returns the digest of what was written.
func (d *Draft) Digest() digest.Digest {
	return digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(d.sum.Sum(nil)))
}

// Open opens what was written, from its start.
func (d *Draft) Open() (io.ReadCloser, error) {
	if d.over {
		return d.store.Open(d.Digest())
	}
	f, err := os.Open(d.f.Name())
	if err != nil {
		return nil, executor.Errorf(executor.Unavailable, "images: %w", err)
	}
	return f, nil
}

// Commit makes a blob of what was written. When it returns, the blob is on disk. It takes
// the place of one that is there, which may be damaged.
func (d *Draft) Commit() error {
	if d.over {
		return nil
	}
	if err := d.f.Sync(); err != nil {
		return d.store.explain(err)
	}
	if err := d.publish(); err != nil {
		return d.store.explain(err)
	}
	d.over = true
	_ = d.f.Close() // was synced
	if err := linux.SyncDir(d.store.dir); err != nil {
		return d.store.explain(err)
	}
	return nil
}

// publish gives a draft the name of a blob.
func (d *Draft) publish() error {
	from, to := d.f.Name(), d.store.path(d.Digest())
	if d.kept {
		second := filepath.Join(d.store.ingest, filepath.Base(to)+".link")
		_ = os.Remove(second)
		if err := os.Link(from, second); err == nil {
			from = second
			defer os.Remove(second) // it stays where the blob is the same file
		} // else the file system has no links
	}
	return os.Rename(from, to)
}

// Abort removes what was written, unless it has become a blob, or can be gone on with.
func (d *Draft) Abort() {
	if !d.over {
		d.over = true
		_ = d.f.Close()
		if !d.kept {
			_ = os.Remove(d.f.Name())
		}
	}
}
