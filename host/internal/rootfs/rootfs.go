// Package rootfs makes the root file systems of containers that do not write to what they
// are made from: a private writable layer over the layers of an image, or over a directory,
// with the overlay file system.
//
//	roots/ID/root.json  the names of the layers
//	roots/ID/lower      without layers: an empty directory, or a link to another one
//	roots/ID/upper      what the container has written
//	roots/ID/work       overlay's own
//	roots/ID/fs         where it is mounted
//
// The mount outlives the host, and is made again after a reboot. Executors get its path,
// and need to know nothing of images.
package rootfs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// Store has root file systems. It is safe for concurrent use, though for one container one
// call is made at a time.
type Store struct {
	dir, layers string
	// mounting is held, shared, by who mounts something, and by [Store.Unmounted] alone.
	mounting sync.RWMutex
}

// Open opens the root file systems in a directory, which it makes if there is none, over
// the layers of another directory.
func Open(dir, layers string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, explain(dir, err)
	}
	dir, err := filepath.EvalSymlinks(dir) // runtimes refuse links in the path of a root
	if err == nil {
		layers, err = filepath.EvalSymlinks(layers)
	}
	if err != nil {
		return nil, explain(dir, err)
	}
	return &Store{dir: dir, layers: layers}, nil
}

func explain(dir string, err error) error {
	return executor.ExplainDisk(dir, executor.Errorf(executor.Unavailable, "root file systems: %w", err))
}

// about is the content of root.json.
type about struct {
	Layers []string `json:"layers"`
}

// Path returns where the root file system of a container is mounted.
func (s *Store) Path(id string) string { return filepath.Join(s.dir, id, "fs") }

// Has reports whether a container has a root file system of its own.
func (s *Store) Has(id string) bool {
	_, err := os.Lstat(filepath.Join(s.dir, id))
	return err == nil
}

// Create makes the root file system of a container over layers, the lowest first, and
// mounts it. If it fails, nothing is left.
func (s *Store) Create(id string, layers []string) error {
	return s.create(id, layers, func(dir string) error {
		if err := os.Mkdir(filepath.Join(dir, "lower"), 0o700); err != nil {
			return err
		}
		// It becomes the container's /, which all its users may enter.
		return unix.Chmod(filepath.Join(dir, "upper"), 0o755)
	})
}

// CreateOver makes the root file system of a container over a directory, whose path is
// absolute, and mounts it. The directory is not written to, and stays when the root file
// system is removed. If it fails, nothing is left.
func (s *Store) CreateOver(id, lower string) error {
	if !filepath.IsAbs(lower) {
		return executor.Errorf(executor.Invalid, "rootfs %q is not an absolute path", lower)
	}
	var st unix.Stat_t
	if err := unix.Stat(lower, &st); err != nil {
		return executor.Errorf(executor.Invalid, "rootfs %q: %w", lower, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return executor.Errorf(executor.Invalid, "rootfs %q is not a directory", lower)
	}
	return s.create(id, nil, func(dir string) error {
		// The options of a mount then need no path that means something in them.
		if err := os.Symlink(lower, filepath.Join(dir, "lower")); err != nil {
			return err
		}
		upper := filepath.Join(dir, "upper") // becomes the container's /
		if err := unix.Lchown(upper, int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
		return unix.Chmod(upper, st.Mode&0o7777)
	})
}

// create makes and mounts a root file system. prepare makes in its directory what is below
// the upper layer, and sets who may enter that.
func (s *Store) create(id string, layers []string, prepare func(dir string) error) (err error) {
	dir := filepath.Join(s.dir, id)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return explain(s.dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Remove(id))
		}
	}()
	for _, sub := range []string{"fs", "work", "upper"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return explain(s.dir, err)
		}
	}
	if err := prepare(dir); err != nil {
		return explain(s.dir, err)
	}
	text, err := json.Marshal(about{layers})
	if err == nil {
		err = writeSynced(filepath.Join(dir, "root.json"), text)
	}
	if err != nil {
		return explain(s.dir, err)
	}
	return s.mount(id, layers)
}

// writeSynced writes a file that is whole after a power failure, if it is there.
func writeSynced(path string, text []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return linux.SyncDir(filepath.Dir(path))
}

// read returns the layers of a container's root file system. The error is fs.ErrNotExist
// if it has none.
func (s *Store) read(id string) ([]string, error) {
	var a about
	text, err := linux.ReadFile(filepath.Join(s.dir, id, "root.json"), 1<<20)
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	return a.Layers, err
}

// Mount mounts the root file system of a container again, if it has one and it is not
// mounted: after a reboot, or after somebody has unmounted it.
func (s *Store) Mount(id string) error {
	if !s.Has(id) {
		return nil
	}
	if mounted, err := s.mounted(id); mounted || err != nil {
		return err
	}
	layers, err := s.read(id)
	if err != nil {
		return executor.Errorf(executor.Unavailable, "root file system of container %s: %w", id, err)
	}
	return s.mount(id, layers)
}

// mounted reports whether a container's root file system is mounted.
func (s *Store) mounted(id string) (bool, error) {
	var in, at unix.Stat_t
	err := errors.Join(unix.Lstat(filepath.Join(s.dir, id), &in), unix.Lstat(s.Path(id), &at))
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, explain(s.dir, err)
	}
	return in.Dev != at.Dev, nil
}

// mount mounts a root file system.
func (s *Store) mount(id string, layers []string) error {
	options, err := s.options(id, layers)
	if err != nil {
		return err
	}
	s.mounting.RLock()
	defer s.mounting.RUnlock()
	err = linux.InDir(s.layers, func() error { return unix.Mount("overlay", s.Path(id), "overlay", 0, options) })
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM):
		return executor.Errorf(executor.Unsupported, "root file system of container %s: overlay cannot be mounted: %w; run the host as root, or use --rootfs with a directory that the container may change", id, err)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENODEV):
		return executor.Errorf(executor.Unsupported, "root file system of container %s: overlay cannot be mounted over %s: %w; that may be an overlay itself, or the kernel has none: choose a state_dir on another file system, such as ext4 or xfs, or use --rootfs with a directory that the container may change", id, s.dir, err)
	}
	return executor.Errorf(executor.Unavailable, "root file system of container %s: mount: %w", id, err)
}

// options returns the options of a mount. Paths are relative to the layers: all have to fit
// into a page, and none may have a character that means something in options.
func (s *Store) options(id string, layers []string) (string, error) {
	own, err := filepath.Rel(s.layers, filepath.Join(s.dir, id))
	if err != nil {
		return "", err
	}
	lower := []string{filepath.Join(own, "lower")} // if there are no layers
	if len(layers) > 0 {
		lower = lower[:0]
		for _, l := range slices.Backward(layers) {
			lower = append(lower, layer.Path(l))
		}
	}
	// The index would refuse layers that were unpacked again.
	return fmt.Sprintf("index=off,lowerdir=%s,upperdir=%s,workdir=%s", strings.Join(lower, ":"), filepath.Join(own, "upper"), filepath.Join(own, "work")), nil
}

// Remove unmounts and removes the root file system of a container, if it has one.
func (s *Store) Remove(id string) error {
	if !s.Has(id) {
		return nil
	}
	for {
		mounted, err := s.mounted(id)
		if err != nil {
			return err
		}
		if !mounted {
			break
		}
		// Whoever still has a file of it open may keep it.
		if err := unix.Unmount(s.Path(id), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return executor.Errorf(executor.Unavailable, "root file system of container %s: unmount: %w", id, err)
		}
	}
	if err := os.RemoveAll(filepath.Join(s.dir, id)); err != nil {
		return explain(s.dir, err)
	}
	return nil
}

// IDs returns the containers that have root file systems.
func (s *Store) IDs() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.Name()
	}
	return ids, err
}

// Layers returns the names of all layers that root file systems need.
func (s *Store) Layers() (map[string]bool, error) {
	ids, err := s.IDs()
	if err != nil {
		return nil, err
	}
	needed := map[string]bool{}
	for _, id := range ids {
		layers, err := s.read(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it is being made, by somebody who holds the layers
		}
		if err != nil {
			return nil, executor.Errorf(executor.Unavailable, "root file system of container %s: %w", id, err)
		}
		for _, name := range layers {
			needed[name] = true
		}
	}
	return needed, nil
}

// MakeDir makes a directory in the root file system of a container, if there is none. Links
// lead where they lead for a process in the container.
func (s *Store) MakeDir(id, path string) error {
	root, err := unix.Open(s.Path(id), unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return explain(s.dir, err)
	}
	defer unix.Close(root)
	at := "."
	for name := range strings.FieldsFuncSeq(filepath.Clean(path), func(r rune) bool { return r == '/' }) {
		parent, err := openIn(root, at)
		if err != nil {
			return executor.Errorf(executor.Invalid, "working directory %s of the image: %w", path, err)
		}
		err = unix.Mkdirat(parent, name, 0o755)
		unix.Close(parent)
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return explain(s.dir, err)
		}
		at = filepath.Join(at, name)
	}
	last, err := openIn(root, at)
	if err != nil {
		return executor.Errorf(executor.Invalid, "working directory %s of the image: %w", path, err)
	}
	unix.Close(last)
	return nil
}

func openIn(root int, path string) (int, error) {
	return linux.Openat2(root, path, &unix.OpenHow{
		Flags: unix.O_DIRECTORY | unix.O_RDONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
}
