package layer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// Damage is how a layer on disk is not what its archive makes of it.
type Damage struct {
	// Layer is its index in the image.
	Layer int
	// Paths are those that differ, each with how. There are none if the layer is missing.
	Paths []string
	// Err says why the archive could not be unpacked, and nothing be compared.
	Err error
	// Repaired says that what was unpacked has taken its place.
	Repaired bool
}

// Check unpacks the layers of an image again, the lowest first, and compares them with those
// that are there. replace, if not nil, is called for each that is damaged or missing, with its
// name and a function that puts the good one there, and reports whether it has called that.
func (s *Store) Check(ctx context.Context, layers []Layer, replace func(name string, put func() error) (bool, error)) ([]Damage, error) {
	work, err := os.MkdirTemp(s.tmp, "check-")
	if err != nil {
		return nil, executor.ExplainDisk(s.tmp, executor.Errorf(executor.Unavailable, "checking layers: %w", err))
	}
	defer os.RemoveAll(work)
	diffIDs := make([]digest.Digest, len(layers))
	for i, l := range layers {
		diffIDs[i] = l.DiffID
	}
	var all []Damage
	var below []string // good trees, where there are any
	for i, chain := range chains(diffIDs) {
		name := nameOf(chain)
		fresh := filepath.Join(work, name)
		if err := s.unpack(ctx, fresh, layers[i], chain, below); err != nil {
			if ctx.Err() != nil || executor.CodeOf(err) == executor.Unavailable {
				return all, err
			}
			all = append(all, Damage{Layer: i, Err: err})
			below = append(below, filepath.Join(s.dir, Path(name)))
			continue
		}
		below = append(below, filepath.Join(fresh, "fs"))
		paths, there, err := s.differences(ctx, name, fresh)
		if err != nil {
			return all, err
		}
		if there && len(paths) == 0 {
			continue
		}
		d := Damage{Layer: i, Paths: paths}
		if replace != nil {
			// Those above are unpacked over what is here, which is moved away.
			below[i] = filepath.Join(s.dir, Path(name))
			if d.Repaired, err = replace(name, func() error { return s.replace(ctx, name, fresh) }); err != nil {
				return all, err
			}
			if !d.Repaired {
				below[i] = filepath.Join(fresh, "fs")
			}
		}
		all = append(all, d)
	}
	return all, nil
}

// differences compares a layer with one that was unpacked just now.
func (s *Store) differences(ctx context.Context, name, fresh string) (paths []string, there bool, err error) {
	here, err := entriesOf(ctx, filepath.Join(s.dir, Path(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	want, err := entriesOf(ctx, filepath.Join(fresh, "fs"))
	if err != nil {
		return nil, false, err
	}
	if _, err := read(filepath.Join(s.dir, name)); err != nil {
		return nil, false, nil // nothing is known of it, as if it were missing
	}
	names := maps.Clone(want)
	maps.Copy(names, here)
	for _, path := range slices.Sorted(maps.Keys(names)) {
		is, has := here[path]
		should, wants := want[path]
		switch {
		case !has:
			paths = append(paths, path+" is missing")
		case !wants:
			paths = append(paths, path+" does not belong there")
		case is.content != should.content:
			paths = append(paths, path+" has another content")
		case is.attributes != should.attributes:
			paths = append(paths, fmt.Sprintf("%s is %s and should be %s", path, is.attributes, should.attributes))
		}
	}
	return paths, true, nil
}

// listed is what two trees are compared by.
type listed struct{ content, attributes string }

// entriesOf lists a tree, by paths that begin with a slash.
func entriesOf(ctx context.Context, root string) (map[string]listed, error) {
	all := map[string]listed{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil || name == "." {
			return err
		}
		all["/"+name], err = list(path)
		return err
	})
	return all, err
}

func list(path string) (listed, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return listed{}, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	xattrs, err := xattrsAt(path)
	if err != nil {
		return listed{}, &os.PathError{Op: "listxattr", Path: path, Err: err}
	}
	l := listed{attributes: fmt.Sprintf("%#o %d:%d", st.Mode&0o7777, st.Uid, st.Gid)}
	if len(xattrs) > 0 {
		l.attributes += fmt.Sprintf(" %q", xattrs) // sorted by name
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		l.attributes += fmt.Sprintf(" of %d.%09d", st.Mtim.Sec, st.Mtim.Nsec)
		l.content, err = sumOf(path)
	case unix.S_IFLNK:
		l.content, err = os.Readlink(path)
	default:
		l.content = fmt.Sprintf("type %#o, device %d", st.Mode&unix.S_IFMT, st.Rdev)
	}
	return l, err
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return fmt.Sprintf("file %x", sum.Sum(nil)), err
}

// replace puts a layer in the place of one that is there or missing.
func (s *Store) replace(ctx context.Context, name, fresh string) error {
	unlock, err := s.making.Lock(ctx, "")
	if err != nil {
		return err
	}
	defer unlock()
	fail := func(err error) error {
		return executor.ExplainDisk(s.dir, executor.Errorf(executor.Unavailable, "layer %s: %w", name, err))
	}
	if err := syncFS(fresh); err != nil {
		return fail(err)
	}
	at := filepath.Join(s.dir, name)
	err = unix.Renameat2(unix.AT_FDCWD, fresh, unix.AT_FDCWD, at, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.ENOENT) {
		err = os.Rename(fresh, at)
	}
	if err == nil {
		err = linux.SyncDir(s.dir)
	}
	if err != nil {
		return fail(err)
	}
	return nil
}
