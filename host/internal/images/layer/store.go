package layer

import (
	"context"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/keyed"
	"github.com/davit-run/davit/shared/linux"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	"golang.org/x/sys/unix"
)

// Max is the largest number of layers of an image. The options of an overlay mount are one
// page, and a layer takes 16 bytes of it.
const Max = 200

// Layer is a layer of an image.
type Layer struct {
	// Digest is that of the blob, and DiffID that of the archive in it.
	Digest, DiffID digest.Digest
	// Open opens the blob.
	Open func() (io.ReadCloser, error)
}

// Store has layers that are unpacked. It is safe for concurrent use.
type Store struct {
	dir, tmp string
	limits   Limits
	making   keyed.Mutex
}

// NewStore returns the store of the layers in a directory. Layers are unpacked in tmp,
// which is on the same file system. Both exist.
func NewStore(dir, tmp string, limits Limits) *Store {
	return &Store{dir: dir, tmp: tmp, limits: limits}
}

// Dir returns the directory of the layers, to which the paths of [Store.Path] are relative.
func (s *Store) Dir() string { return s.dir }

// Names returns the names of an image's layers, the lowest first.
func Names(diffIDs []digest.Digest) []string {
	names := make([]string, len(diffIDs))
	for i, chain := range chains(diffIDs) {
		names[i] = nameOf(chain)
	}
	return names
}

func chains(diffIDs []digest.Digest) []digest.Digest {
	return identity.ChainIDs(append([]digest.Digest(nil), diffIDs...))
}

// nameOf returns the name of a layer's directory: 60 bits of its chain id. Should two share
// them, [Store.Make] notices.
func nameOf(chain digest.Digest) string {
	sum, _ := hex.DecodeString(chain.Encoded()) // a digest that was validated
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10])[:12])
}

// Path returns the path of a layer's tree, relative to Dir.
func Path(name string) string { return filepath.Join(name, "fs") }

// about is the content of layer.json.
type about struct {
	Chain  digest.Digest `json:"chain"`
	DiffID digest.Digest `json:"diff_id"`
	// Size is that of all files, in bytes.
	Size int64 `json:"size"`
}

// read reads what is known of a layer. The error is fs.ErrNotExist if there is none.
func read(dir string) (a about, err error) {
	text, err := linux.ReadFile(filepath.Join(dir, "layer.json"), 1<<20)
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	return a, err
}

// has reports whether a layer is there.
func (s *Store) has(chain digest.Digest) (bool, error) {
	a, err := read(filepath.Join(s.dir, nameOf(chain)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, executor.Errorf(executor.Unavailable, "layer %s: %w", nameOf(chain), err)
	case a.Chain != chain:
		return false, executor.Errorf(executor.Internal, "layer %s is %s and not %s", nameOf(chain), a.Chain, chain)
	}
	return true, nil
}

// Has reports whether all layers of an image are there.
func (s *Store) Has(diffIDs []digest.Digest) (bool, error) {
	for _, chain := range chains(diffIDs) {
		if ok, err := s.has(chain); !ok {
			return false, err
		}
	}
	return true, nil
}

// Size returns how much room the files of an image's layers take, in bytes.
func (s *Store) Size(diffIDs []digest.Digest) (n int64) {
	for _, name := range Names(diffIDs) {
		n += s.SizeOf(name)
	}
	return n
}

// SizeOf returns how much room the files of one layer take, in bytes.
func (s *Store) SizeOf(name string) int64 {
	a, _ := read(filepath.Join(s.dir, name)) // none takes none
	return a.Size
}

// Make unpacks the layers of an image that are missing, the lowest first. When it returns
// they are on disk, all of them; if it fails, none of those that were missing. progress is
// called before each layer that is unpacked and may be nil. One call unpacks at a time.
func (s *Store) Make(ctx context.Context, layers []Layer, progress func(i int)) error {
	if len(layers) > Max {
		return executor.Errorf(executor.Invalid, "the image has %d layers, at most %d are supported", len(layers), Max)
	}
	unlock, err := s.making.Lock(ctx, "")
	if err != nil {
		return err
	}
	defer unlock()
	work, err := os.MkdirTemp(s.tmp, "layers-")
	if err != nil {
		return executor.ExplainDisk(s.tmp, executor.Errorf(executor.Unavailable, "unpacking: %w", err))
	}
	defer os.RemoveAll(work)

	diffIDs := make([]digest.Digest, len(layers))
	for i, l := range layers {
		diffIDs[i] = l.DiffID
	}
	var trees, made []string // of all, the lowest first; and the names of the new ones
	for i, chain := range chains(diffIDs) {
		name := nameOf(chain)
		ok, err := s.has(chain)
		if err != nil {
			return err
		}
		if ok {
			trees = append(trees, filepath.Join(s.dir, Path(name)))
			continue
		}
		if progress != nil {
			progress(i)
		}
		if err := s.unpack(ctx, filepath.Join(work, name), layers[i], chain, trees); err != nil {
			return err
		}
		trees = append(trees, filepath.Join(work, Path(name)))
		made = append(made, name)
	}
	if len(made) == 0 {
		return nil
	}
	return s.publish(work, made)
}

// unpack makes the directory of a layer over the trees of those below it.
func (s *Store) unpack(ctx context.Context, dir string, l Layer, chain digest.Digest, below []string) error {
	if err := os.MkdirAll(filepath.Join(dir, "fs"), 0o755); err != nil {
		return executor.ExplainDisk(s.tmp, executor.Errorf(executor.Unavailable, "unpacking: %w", err))
	}
	blob, err := l.Open()
	if err != nil {
		return err
	}
	defer blob.Close()
	size, err := unpackBlob(ctx, blob, l, filepath.Join(dir, "fs"), below, s.limits)
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return executor.ExplainDisk(s.tmp, fmt.Errorf("layer %s: %w", l.Digest, err))
	}
	text, err := json.Marshal(about{Chain: chain, DiffID: l.DiffID, Size: size})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "layer.json"), text, 0o600)
	}
	return executor.ExplainDisk(s.tmp, err)
}

// publish syncs new layers and moves them to where they belong. Without the sync a power
// failure would leave files that are empty below names that say otherwise.
func (s *Store) publish(work string, names []string) error {
	fail := func(err error) error {
		return executor.ExplainDisk(s.dir, executor.Errorf(executor.Unavailable, "unpacked layers: %w", err))
	}
	if err := syncFS(work); err != nil {
		return fail(err)
	}
	for _, name := range names {
		if err := os.Rename(filepath.Join(work, name), filepath.Join(s.dir, name)); err != nil {
			return fail(err)
		}
	}
	if err := linux.SyncDir(s.dir); err != nil {
		return fail(err)
	}
	return nil
}

// syncFS syncs the file system of a directory.
func syncFS(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return os.NewSyscallError("syncfs", unix.Syncfs(int(d.Fd())))
}

// List returns the names of the layers that are there.
func (s *Store) List() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// Remove takes a layer away at once, and returns where its directory is now, for the
// caller to remove.
func (s *Store) Remove(name string) (gone string, err error) {
	gone, err = os.MkdirTemp(s.tmp, "removed-")
	if err == nil {
		err = os.Rename(filepath.Join(s.dir, name), filepath.Join(gone, name))
	}
	return gone, err
}
