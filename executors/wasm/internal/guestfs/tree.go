package guestfs

import (
	"errors"
	"fmt"
	"os"
	"path"
	"sort"

	experimentalsys "github.com/tetratelabs/wazero/experimental/sys"
	"golang.org/x/sys/unix"
)

// Mount puts a directory or file of the host into a tree.
type Mount struct {
	// Source is a path on the host.
	Source string `json:"source"`
	// Target is an absolute path in the tree.
	Target   string `json:"target"`
	ReadOnly bool   `json:"read_only,omitempty"`
}

// Tree is a file system of wazero's. It may be used by one module at a time.
type Tree struct {
	experimentalsys.UnimplementedFS

	mounts map[string]node // by target
	// blanks are the directories above targets. Where the tree has no directory of
	// that name, an empty one replaces it.
	blanks map[string]bool
	blank  node
}

var _ experimentalsys.FS = (*Tree)(nil)

// node is an open directory or file of the host (O_PATH) at a place in the tree.
type node struct {
	fd       int
	path     string
	readOnly bool
}

// New returns a Tree and opens the sources of mounts. One of these has the target
// "/". Of two with the same target the later one counts.
func New(mounts []Mount) (*Tree, error) {
	t := &Tree{mounts: map[string]node{}, blanks: map[string]bool{}, blank: node{fd: -1}}
	for _, m := range mounts {
		if err := t.mount(m); err != nil {
			return nil, errors.Join(err, t.Close())
		}
	}
	if _, ok := t.mounts["/"]; !ok {
		return nil, errors.Join(errors.New("there is no mount at /"), t.Close())
	}
	if err := t.openBlank(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func (t *Tree) mount(m Mount) error {
	if !path.IsAbs(m.Target) {
		return fmt.Errorf("mount target %q is not absolute", m.Target)
	}
	target := path.Clean(m.Target)
	fd, err := unix.Open(m.Source, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "mount", Path: m.Source, Err: err}
	}
	if old, ok := t.mounts[target]; ok {
		_ = unix.Close(old.fd)
	}
	t.mounts[target] = node{fd, target, m.ReadOnly}
	for dir := path.Dir(target); dir != "/"; dir = path.Dir(dir) {
		t.blanks[dir] = true
	}
	return nil
}

// openBlank opens the empty directory: one that is removed once it is open, so that
// nothing can ever be in it.
func (t *Tree) openBlank() error {
	if len(t.blanks) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp("", "davit-wasm-")
	if err != nil {
		return err
	}
	defer os.Remove(dir)
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	t.blank = node{fd: fd, readOnly: true}
	return nil
}

// under returns the names that mounts add to the directory at p.
func (t *Tree) under(p string) []string {
	names := map[string]bool{}
	for target := range t.mounts {
		if target != "/" && path.Dir(target) == p {
			names[path.Base(target)] = true
		}
	}
	for dir := range t.blanks {
		if path.Dir(dir) == p {
			names[path.Base(dir)] = true
		}
	}
	var sorted []string
	for name := range names {
		sorted = append(sorted, name)
	}
	sort.Strings(sorted)
	return sorted
}

// Close closes the sources. Files that were opened in the tree stay open.
func (t *Tree) Close() error {
	var errs []error
	for _, m := range t.mounts {
		errs = append(errs, unix.Close(m.fd))
	}
	if t.blank.fd >= 0 {
		errs = append(errs, unix.Close(t.blank.fd))
	}
	t.mounts, t.blank.fd = nil, -1
	return errors.Join(errs...)
}
