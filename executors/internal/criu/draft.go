package criu

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// Draft is a checkpoint that is being made.
type Draft struct{ dir, path string }

// draftsOf returns the directory of the drafts of a checkpoint.
func draftsOf(dir string) string { return filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)) }

// Begin begins a checkpoint that is to appear at dir.
func Begin(dir string) (Draft, error) {
	drafts := draftsOf(dir)
	if err := os.Mkdir(drafts, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return Draft{}, executor.ExplainDisk(filepath.Dir(dir), err)
	}
	path, err := os.MkdirTemp(drafts, "")
	d := Draft{dir, path}
	if err == nil {
		err = errors.Join(os.Mkdir(d.Images(), 0o700), os.Mkdir(d.Work(), 0o700))
	}
	return d, executor.ExplainDisk(filepath.Dir(dir), err)
}

// Images is the directory for CRIU's images.
func (d Draft) Images() string { return filepath.Join(d.path, "images") }

// Work is the directory for CRIU's logs.
func (d Draft) Work() string { return filepath.Join(d.path, "work") }

// Keep gives a complete draft its name, and removes all others.
func (d Draft) Keep() error {
	f, err := os.Open(d.Images())
	if err != nil {
		return err
	}
	err = errors.Join(os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd()))), f.Close())
	if err == nil {
		err = os.Rename(d.Images(), d.dir)
	}
	if err == nil {
		err = linux.SyncDir(filepath.Dir(d.dir))
	}
	if err != nil {
		return executor.ExplainDisk(filepath.Dir(d.dir), fmt.Errorf("checkpoint: %w", err))
	}
	return os.RemoveAll(draftsOf(d.dir))
}

// Discard removes a draft, and the directory of drafts if there is no other.
func (d Draft) Discard() error {
	err := os.RemoveAll(d.path)
	if rerr := os.Remove(draftsOf(d.dir)); rerr != nil && !errors.Is(rerr, unix.ENOTEMPTY) {
		err = errors.Join(err, rerr)
	}
	return err
}

// Once calls make, unless there is a draft that an earlier call has completed, or one that
// was completed in the meantime: that gets its name.
func Once(c executor.Checkpoint, make func() error) error {
	if c.Validate() == nil && complete(c.Dir) {
		return nil
	}
	err := make()
	if err != nil && c.Validate() == nil && complete(c.Dir) {
		return nil
	}
	return err
}

// complete gives a complete draft its name, and reports whether there was one.
func complete(dir string) bool {
	drafts, _ := os.ReadDir(draftsOf(dir))
	for _, e := range drafts {
		d := Draft{dir, filepath.Join(draftsOf(dir), e.Name())}
		if finished(d.Work()) && d.Keep() == nil {
			return true
		}
	}
	return false
}

// finished reports whether CRIU's log ends with its last words: all is written.
func finished(work string) bool {
	log, err := readLog(work, dumpLog)
	return err == nil && bytes.HasSuffix(bytes.TrimRight(log, "\n"), []byte("Dumping finished successfully"))
}
