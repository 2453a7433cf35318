package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// cidfile is the file of --cidfile, or none.
type cidfile struct{ file *os.File }

// newCidfile makes the file before there is a container: one that exists is that of
// another container.
func newCidfile(path string) (*cidfile, error) {
	if path == "" {
		return &cidfile{}, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("--cidfile %s: there is a file already, maybe of another container; remove it, or give another name", path)
	}
	return &cidfile{f}, err
}

// write writes the id.
func (f *cidfile) write(id string) error {
	if f.file == nil {
		return nil
	}
	_, err := f.file.WriteString(id)
	err = errors.Join(err, f.file.Close())
	f.file = nil
	return err
}

// close removes the file if no id was written.
func (f *cidfile) close() {
	if f.file != nil {
		_ = f.file.Close()
		_ = os.Remove(f.file.Name())
	}
}
