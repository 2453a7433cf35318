package containers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/archive"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// tree is the file system of a container.
type tree struct {
	*archive.Root
	id  string // of the container
	ids archive.IDs
	// readOnly, unless nil, says that nothing may be written.
	readOnly error
	// mounts are where something is mounted that is not seen, and why.
	mounts []string
	unseen string
}

// StatPath describes a file in a container, or with follow what it leads to if it is a
// link.
func (m *Manager) StatPath(ctx context.Context, reference, path string, follow bool) (info api.PathInfo, err error) {
	err = m.inTree(ctx, reference, path, func(t *tree) error {
		f, inside, err := t.find(path, follow)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err = archive.Describe(f, t.ids)
		info.Path = inside
		return err
	})
	return info, err
}

// CopyFrom writes a file or directory of a container to w as a tar stream.
func (m *Manager) CopyFrom(ctx context.Context, reference string, opts api.CopyFromOptions, w io.Writer) error {
	return m.inTree(ctx, reference, opts.Path, func(t *tree) error {
		f, inside, err := t.find(opts.Path, opts.Follow)
		if err != nil {
			return err
		}
		defer f.Close()
		name, err := nameIn(opts, inside)
		if err != nil {
			return err
		}
		return archive.Pack(w, f, name, t.ids)
	})
}

// nameIn returns how what is copied is called in the stream.
func nameIn(opts api.CopyFromOptions, inside string) (string, error) {
	switch {
	case opts.Name == "" && inside == "/":
		return ".", nil
	case opts.Name == "":
		return path.Base(path.Clean("/" + opts.Path)), nil
	case path.Clean(opts.Name) != opts.Name || path.IsAbs(opts.Name) || opts.Name == ".." || strings.HasPrefix(opts.Name, "../"):
		return "", executor.Errorf(executor.Invalid, "%q cannot be a name in a tar stream; use a relative one without .. and doubled slashes", opts.Name)
	}
	return opts.Name, nil
}

// CopyTo unpacks a tar stream in a directory of a container.
func (m *Manager) CopyTo(ctx context.Context, reference string, opts api.CopyToOptions, r io.Reader) error {
	return m.inTree(ctx, reference, opts.Path, func(t *tree) error {
		f, _, err := t.find(opts.Path+"/", true)
		if err != nil {
			return err
		}
		defer f.Close()
		if t.readOnly != nil {
			return t.readOnly
		}
		return t.Unpack(opts.Path, r, archive.UnpackOptions{KeepOwners: opts.KeepOwners, IDs: t.ids, Check: func(dir *os.File) error {
			_, err := t.seen(dir)
			return err
		}})
	})
}

// Export writes the root file system of a container to w as a tar stream.
func (m *Manager) Export(ctx context.Context, reference string, w io.Writer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, spec, err := m.specOf(reference)
	if err != nil {
		return err
	}
	defer m.pin(c.ID)()
	if err := m.reachRoot(ctx, c, spec); err != nil {
		return err
	}
	t, err := rootfsTree(c, spec)
	if err != nil {
		return err
	}
	defer t.Close()
	return coded(archive.Pack(w, t.Dir(), ".", t.ids))
}

// inTree calls do with the file system of a container: what it sees itself if it runs and
// its backend works with the namespaces of this kernel, and its root file system otherwise.
func (m *Manager) inTree(ctx context.Context, reference, path string, do func(*tree) error) error {
	switch {
	case path == "":
		return executor.Errorf(executor.Invalid, "no path in the container is given")
	case strings.ContainsRune(path, 0):
		return executor.Errorf(executor.Invalid, "path %q has a NUL character, which no path can have", path)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c, spec, err := m.specOf(reference)
	if err != nil {
		return err
	}
	defer m.pin(c.ID)()
	if err := m.reachRoot(ctx, c, spec); err != nil {
		return err
	}
	t, err := rootfsTree(c, spec)
	if err != nil {
		return err
	}
	if inside := m.insideTree(c, t); inside != nil {
		_ = t.Close()
		t = inside
	}
	defer t.Close()
	return coded(do(t))
}

// specOf returns the record and the spec of a container.
func (m *Manager) specOf(reference string) (c *store.Container, spec *specs.Spec, err error) {
	err = m.store.View(func(tx *store.Tx) error {
		if c, err = tx.Find(reference); err != nil {
			return err
		}
		raw, err := tx.Spec(c.ID)
		if err != nil {
			return err
		}
		return json.Unmarshal(raw, &spec)
	})
	return c, spec, err
}

// rootfsTree opens the root file system of a container. What is mounted in it when it runs
// is not seen.
func rootfsTree(c *store.Container, spec *specs.Spec) (*tree, error) {
	if spec.Root == nil || spec.Root.Path == "" {
		return nil, executor.Errorf(executor.FailedPrecondition, "container %s has no root file system", c.ID)
	}
	root, err := archive.OpenRoot(spec.Root.Path)
	if err != nil {
		return nil, executor.Errorf(executor.FailedPrecondition, "root file system of container %s: %w", c.ID, err)
	}
	t := &tree{Root: root, id: c.ID, unseen: "that is only there while the container runs, on a backend with Linux namespaces"}
	if same, err := sameDir(root.Dir(), "/"); err != nil || same {
		_ = t.Close()
		if err == nil {
			err = executor.Errorf(executor.FailedPrecondition, "container %s has no root file system of its own: its root is that of the host, so use the files themselves", c.ID)
		}
		return nil, err
	}
	if spec.Linux != nil {
		t.ids = archive.IDs{UIDs: spec.Linux.UIDMappings, GIDs: spec.Linux.GIDMappings}
	}
	if spec.Root.Readonly {
		t.readOnly = executor.Errorf(executor.FailedPrecondition, "container %s has a read-only root file system", c.ID)
	}
	for _, mount := range spec.Mounts {
		t.mounts = append(t.mounts, path.Clean("/"+mount.Destination))
	}
	return t, nil
}

// insideTree opens what a container that runs sees, with what is mounted there. It returns
// nil if that cannot be reached: it does not run, its processes are not ours, or its first
// process has changed its root.
func (m *Manager) insideTree(c *store.Container, rootfs *tree) *tree {
	if c.PID == 0 || c.State != store.Running && c.State != store.Paused {
		return nil
	}
	var t *tree
	process, err := linux.OpenProcess(c.PID, func() error {
		namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", c.PID))
		if err != nil {
			return err
		}
		root, err := archive.OpenRoot(fmt.Sprintf("/proc/%d/root/", c.PID))
		if err != nil {
			_ = namespace.Close()
			return err
		}
		root.Hold(namespace) // what is mounted stays, if the container ends
		t = &tree{Root: root, id: c.ID, ids: rootfs.ids}
		return nil
	})
	if err != nil {
		return nil
	}
	defer process.Close()
	// The pid was that of the container's process if its root is the container's and it is
	// there now: nobody else has that root. A sandbox or another host's has another.
	ours, err := sameDir(t.Dir(), rootfs.rootPath())
	if err != nil || !ours || process.Signal(0) != nil {
		_ = t.Close()
		return nil
	}
	return t
}

// rootPath returns a path that leads to the root, whatever is mounted or moved.
func (t *tree) rootPath() string { return fmt.Sprintf("/proc/self/fd/%d", t.Dir().Fd()) }

// sameDir reports whether a descriptor refers to the directory at a path.
func sameDir(f *os.File, path string) (bool, error) {
	own, err := f.Stat()
	if err != nil {
		return false, err
	}
	other, err := os.Stat(path)
	return err == nil && os.SameFile(own, other), err
}

// find opens a file, and returns its path without links.
func (t *tree) find(path string, follow bool) (*os.File, string, error) {
	f, err := t.Open(path, follow)
	if errors.Is(err, unix.ELOOP) {
		err = errors.New("it leads through a link of /proc to elsewhere, or through too many links")
		return nil, "", executor.Errorf(executor.FailedPrecondition, "%s in container %s: %w", path, api.ShortID(t.id), err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = cmp.Or(t.mountedOver(filepath.Clean("/"+path)), err) // a place that is made at the start
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s in container %s: %w", path, api.ShortID(t.id), err)
	}
	inside, err := t.seen(f)
	if err != nil {
		_ = f.Close()
		return nil, "", err
	}
	return f, inside, nil
}

// seen returns the path of a file without links, or an error if something is mounted over
// it that is not seen here.
func (t *tree) seen(f *os.File) (string, error) {
	inside, err := t.Inside(f)
	if err != nil {
		return "", err
	}
	return inside, t.mountedOver(inside)
}

// mountedOver returns an error if something is mounted over a path that is not seen here.
func (t *tree) mountedOver(path string) error {
	for _, mount := range t.mounts {
		if path == mount || mount == "/" || strings.HasPrefix(path, mount+"/") {
			return executor.Errorf(executor.FailedPrecondition, "something is mounted at %s, and %s", mount, t.unseen)
		}
	}
	return nil
}

// coded gives an error of the file system a code.
func coded(err error) error {
	if _, ok := errors.AsType[*executor.Error](err); ok || err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	code := executor.Internal
	switch {
	case errors.Is(err, fs.ErrNotExist):
		code = executor.NotFound
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENAMETOOLONG),
		errors.Is(err, unix.EROFS), errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EBUSY), errors.Is(err, unix.EXDEV):
		code = executor.FailedPrecondition
	}
	return executor.Errorf(code, "%w", err)
}
