package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// Dir is the directory of all output:
//
//	containers/ID/ATTEMPT/{stdout,stderr,stdout.index,stderr.index}
//	containers/ID/NOTE (see [Dir.WriteNote])
//
// A container's directory may have other files of the host's, such as those for /etc.
// Directories have mode 0700 and files 0600. Nothing outside of it is ever touched,
// whatever names or links it contains.
type Dir struct {
	path string
	root *os.Root
}

const containersDir = "containers"

// DirOf returns the path of the directory for output below a state directory.
func DirOf(stateDir string) string { return filepath.Join(stateDir, containersDir) }

// OpenDir opens the directory for output below a state directory, and makes it if it
// does not exist. The state directory exists.
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

// Layout says which output files an attempt has, and how much of them is kept.
type Layout struct {
	// Merged puts both streams into one file.
	Merged bool
	// Max caps what is kept of each file, in bytes; 0 is no cap.
	Max int64
}

// Files are the output files of an attempt, as absolute paths. Stderr is the same as
// Stdout if the streams are merged. Each has an index of when the output was written:
// see package notes.
type Files struct {
	Ref            executor.Ref
	Layout         Layout
	Stdout, Stderr string
}

// streamFile is the file of one stream.
type streamFile struct {
	stream api.Stream
	path   string
}

const indexSuffix = ".index"

func (f streamFile) index() string { return f.path + indexSuffix }

// streams returns the files of the streams, stdout first.
func (f Files) streams() []streamFile {
	list := []streamFile{{api.Stdout, f.Stdout}, {api.Stderr, f.Stderr}}
	if f.Layout.Merged {
		list = list[:1]
	}
	return list
}

// names returns the names of all files in the directory of the attempt.
func (f Files) names() (names []string) {
	for _, file := range f.streams() {
		names = append(names, file.stream.String(), file.stream.String()+indexSuffix)
	}
	return names
}

// Stdio returns the files as an executor.Stdio, without a stdin.
func (f Files) Stdio() executor.Stdio {
	file := func(path string) executor.Stream {
		return executor.Stream{Kind: executor.StreamFile, Path: path, Max: f.Layout.Max, Index: path + indexSuffix}
	}
	return executor.Stdio{Stdout: file(f.Stdout), Stderr: file(f.Stderr)}
}

// ContainerDir returns the directory of a container's attempts. Other files of the
// container may be in it too; Remove removes all of it.
func (d *Dir) ContainerDir(id string) string { return filepath.Join(d.path, id) }

// Files returns an attempt's files, whether they exist or not.
func (d *Dir) Files(ref executor.Ref, layout Layout) Files {
	dir := filepath.Join(d.ContainerDir(ref.ID), strconv.Itoa(ref.Attempt))
	f := Files{
		Ref: ref, Layout: layout,
		Stdout: filepath.Join(dir, api.Stdout.String()),
		Stderr: filepath.Join(dir, api.Stderr.String()),
	}
	if layout.Merged {
		f.Stderr = f.Stdout
	}
	return f
}

// Create makes the files of an attempt. It leaves files that exist as they are, so that
// it can be repeated. It refuses links, and anything else that is not a file of this
// user.
func (d *Dir) Create(ref executor.Ref, layout Layout) (Files, error) {
	if err := ref.Validate(); err != nil {
		return Files{}, err
	}
	files := d.Files(ref, layout)
	if err := d.create(files); err != nil {
		return Files{}, d.explain(executor.Errorf(executor.Unavailable, "output of %s: %w", ref, err))
	}
	return files, nil
}

func (d *Dir) explain(err error) error { return executor.ExplainDisk(d.path, err) }

func (d *Dir) create(files Files) error {
	container, err := subdir(d.root, files.Ref.ID)
	if err != nil {
		return err
	}
	defer container.Close()
	attempt, err := subdir(container, strconv.Itoa(files.Ref.Attempt))
	if err != nil {
		return err
	}
	defer attempt.Close()
	for _, name := range files.names() {
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

// Remove removes all output of a container. It is no error if there is none.
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

// subdir opens a directory inside of another, and makes it if it does not exist. It
// refuses a link that leads to a directory.
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

// ownFile checks that a name is a regular file without a second name.
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
