package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// writeArchive calls write with where an archive goes: a file, or stdout if file is "" or
// "-". What comes before an error is in no file.
func (a *App) writeArchive(file string, write func(io.Writer) error) error {
	if file == "" || file == "-" {
		if isTerminal(a.Stdout) {
			return errors.New("a tar archive is not written to a terminal; use -o or redirect it")
		}
		return write(a.Stdout)
	}
	if is, err := os.Stat(file); err == nil && !is.Mode().IsRegular() {
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".davit-archive-")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
