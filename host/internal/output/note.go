package output

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// maxNote bounds what is read of a note, in bytes: a spec, and as much again.
const maxNote = 2 * executor.MaxSpecSize

// WriteNote writes a file beside the output of a container's attempts. It is whole at any
// time, and not synced.
func (d *Dir) WriteNote(id, name string, text []byte) error {
	err := executor.ValidateID(id)
	if err == nil {
		err = d.writeNote(id, name, text)
	}
	if err != nil {
		return d.explain(executor.Errorf(executor.Unavailable, "%s of container %s: %w", name, id, err))
	}
	return nil
}

func (d *Dir) writeNote(id, name string, text []byte) error {
	dir, err := subdir(d.root, id)
	if err != nil {
		return err
	}
	defer dir.Close()
	draft := name + "~"
	if err := dir.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := dir.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return dir.Rename(draft, name)
}

// ReadNote reads what WriteNote wrote. The error is fs.ErrNotExist if there is none.
func (d *Dir) ReadNote(id, name string) ([]byte, error) {
	if err := executor.ValidateID(id); err != nil {
		return nil, err
	}
	f, err := linux.OpenIn(d.path, filepath.Join(id, name), os.O_RDONLY|unix.O_NOFOLLOW, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return linux.ReadAll(f, maxNote)
}

// Has reports whether a container has a directory.
func (d *Dir) Has(id string) bool {
	st, err := d.root.Lstat(id)
	return err == nil && st.IsDir()
}

// IDs returns the containers that have a directory.
func (d *Dir) IDs() ([]string, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	var ids []string
	for _, e := range entries {
		if e.IsDir() && executor.ValidateID(e.Name()) == nil {
			ids = append(ids, e.Name())
		}
	}
	return ids, err
}
