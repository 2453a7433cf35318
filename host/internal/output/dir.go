package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/davit-run/davit/host/internal/stream"
	"github.com/davit-run/davit/shared/executor"
)

// Dir is the directory below which all output is:
//
//	containers/ID/ATTEMPT/{stdout,stderr,index}
//
// Directories have mode 0700 and files 0600. Nothing outside of it is ever
// touched, whatever the names or the links in it are.
type Dir struct {
	path string
	root *os.Root
}

const containersDir = "containers"

// OpenDir opens the directory for output below a state directory, which exists,
// and makes it if need be.
func OpenDir(stateDir string) (*Dir, error) {
	stateDir, err := filepath.Abs(stateDir)
	if err != nil {
		return nil, executor.Errorf(executor.Invalid, "output: %w", err)
	}
	state, err := os.OpenRoot(stateDir)
	if err != nil {
		return nil, executor.Errorf(executor.Unavailable, "output: %w", err)
	}
	defer state.Close()
	root, err := subdir(state, containersDir)
	if err != nil {
		return nil, executor.Errorf(executor.Unavailable, "output: %w", err)
	}
	return &Dir{path: filepath.Join(stateDir, containersDir), root: root}, nil
}

// Close releases the directory. Files stay.
func (d *Dir) Close() error { return d.root.Close() }

// Files are the output files of an attempt, as absolute paths. Stderr is Stdout
// where the streams are merged. Index tells when the output was written; a
// [Tracker] makes it.
type Files struct {
	Stdout, Stderr, Index string
}

// Merged tells whether both streams are in one file.
func (f Files) Merged() bool { return f.Stdout == f.Stderr }

// streamFile is the file of one stream.
type streamFile struct {
	stream stream.Stream
	path   string
}

// streams gives the files that there are, stdout first.
func (f Files) streams() []streamFile {
	list := []streamFile{{stream.Stdout, f.Stdout}, {stream.Stderr, f.Stderr}}
	if f.Merged() {
		list = list[:1]
	}
	return list
}

// Stdio gives the files as the contract wants them, without a stdin. Max is how
// much is kept of each, in bytes; 0 is no limit.
func (f Files) Stdio(max int64) executor.Stdio {
	return executor.Stdio{
		Stdout: executor.Stream{Kind: executor.StreamFile, Path: f.Stdout, Max: max},
		Stderr: executor.Stream{Kind: executor.StreamFile, Path: f.Stderr, Max: max},
	}
}

// Files gives the paths of an attempt's files, whether they exist or not.
func (d *Dir) Files(ref executor.Ref, merged bool) Files {
	dir := filepath.Join(d.path, ref.ID, strconv.Itoa(ref.Attempt))
	f := Files{
		Stdout: filepath.Join(dir, stream.Stdout.String()),
		Stderr: filepath.Join(dir, stream.Stderr.String()),
		Index:  filepath.Join(dir, "index"),
	}
	if merged {
		f.Stderr = f.Stdout
	}
	return f
}

// Create makes the files of an attempt. Those that exist are left as they are,
// so that it can be repeated. Links, and anything else that is not a file of our
// own, are refused.
func (d *Dir) Create(ref executor.Ref, merged bool) (Files, error) {
	if err := ref.Validate(); err != nil {
		return Files{}, err
	}
	if err := d.create(ref, merged); err != nil {
		return Files{}, d.explain(executor.Errorf(executor.Unavailable, "output of %s: %w", ref, err))
	}
	return d.Files(ref, merged), nil
}

func (d *Dir) explain(err error) error { return executor.ExplainDisk(d.path, err) }

func (d *Dir) create(ref executor.Ref, merged bool) error {
	container, err := subdir(d.root, ref.ID)
	if err != nil {
		return err
	}
	defer container.Close()
	attempt, err := subdir(container, strconv.Itoa(ref.Attempt))
	if err != nil {
		return err
	}
	defer attempt.Close()
	for _, file := range d.Files(ref, merged).streams() {
		name := file.stream.String()
		f, err := attempt.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		switch {
		case err == nil:
			err = f.Close()
		case errors.Is(err, fs.ErrExist):
			err = ownFile(attempt, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Remove removes all output of a container. What is not there is no error.
func (d *Dir) Remove(id string) error {
	if err := executor.ValidateID(id); err != nil {
		return err
	}
	if err := d.root.RemoveAll(id); err != nil {
		return d.explain(executor.Errorf(executor.Unavailable, "output of %s: %w", id, err))
	}
	return nil
}

// RemoveAttempt removes the output of one attempt.
func (d *Dir) RemoveAttempt(ref executor.Ref) error {
	if err := ref.Validate(); err != nil {
		return err
	}
	if err := d.root.RemoveAll(filepath.Join(ref.ID, strconv.Itoa(ref.Attempt))); err != nil {
		return d.explain(executor.Errorf(executor.Unavailable, "output of %s: %w", ref, err))
	}
	return nil
}

// IDs gives the ids of the containers that have output.
func (d *Dir) IDs() ([]string, error) {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return nil, executor.Errorf(executor.Unavailable, "output: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && executor.ValidateID(e.Name()) == nil {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// subdir opens a directory inside of another and makes it if need be. A link
// that leads to one is refused.
func subdir(parent *os.Root, name string) (*os.Root, error) {
	if err := parent.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	st, err := parent.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOTDIR}
	}
	dir, err := parent.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	// The name may have become something else in between.
	if got, err := dir.Stat("."); err != nil || !os.SameFile(st, got) {
		dir.Close()
		return nil, errors.Join(fmt.Errorf("%s was replaced while it was opened", name), err)
	}
	return dir, nil
}

// ownFile checks that a name is a plain file without a second name.
func ownFile(dir *os.Root, name string) error {
	st, err := dir.Lstat(name)
	if err != nil {
		return err
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); !st.Mode().IsRegular() || ok && sys.Nlink != 1 {
		return fmt.Errorf("%s is not a plain file of ours", name)
	}
	return nil
}
