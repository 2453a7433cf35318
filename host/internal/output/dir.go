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
	"golang.org/x/sys/unix"
)

// Dir is the directory of all output:
//
//	containers/ID/ATTEMPT/{stdout,stderr,stdout.index,stderr.index,stdin}
//	containers/ID/ATTEMPT/exec/EXEC/{stdout,…}
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
	// Stdin makes a FIFO for the input. Terminal gives the process a terminal, whose output
	// is one stream. Pipes makes the outputs FIFOs, which have no index.
	Stdin, Terminal, Pipes bool
}

// single reports whether all output is one stream.
func (l Layout) single() bool { return l.Merged || l.Terminal }

// Files are the files of a process, as absolute paths. Stderr is the same as Stdout if the
// streams are merged. Stdin is empty if it has no input. Each output has an index of when the output was written:
// see package notes.
type Files struct {
	Ref                   executor.Ref
	Layout                Layout
	Stdin, Stdout, Stderr string
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
	if f.Layout.single() {
		list = list[:1]
	}
	return list
}

// names returns the names of the plain files in the directory of the process, and of the
// FIFOs.
func (f Files) names() (plain, fifos []string) {
	for _, file := range f.streams() {
		if f.Layout.Pipes {
			fifos = append(fifos, file.stream.String())
		} else {
			plain = append(plain, file.stream.String(), file.stream.String()+indexSuffix)
		}
	}
	if f.Layout.Stdin {
		fifos = append(fifos, stdinName)
	}
	return plain, fifos
}

const (
	stdinName = "stdin"
	execsDir  = "exec"
)

// Dir returns the directory of the files.
func (f Files) Dir() string { return filepath.Dir(f.Stdout) }

// place returns the directory of a process's files, in parts.
func place(ref executor.Ref) []string {
	parts := []string{ref.ID, strconv.Itoa(ref.Attempt)}
	if ref.Exec != "" {
		parts = append(parts, execsDir, ref.Exec)
	}
	return parts
}

// Stdio returns the files as an executor.Stdio.
func (f Files) Stdio() executor.Stdio {
	out := func(path string) executor.Stream {
		if f.Layout.Pipes {
			return executor.Stream{Kind: executor.StreamFIFO, Path: path}
		}
		return executor.Stream{Kind: executor.StreamFile, Path: path, Max: f.Layout.Max, Index: path + indexSuffix}
	}
	s := executor.Stdio{Stdout: out(f.Stdout), Terminal: f.Layout.Terminal}
	if !f.Layout.Terminal {
		s.Stderr = out(f.Stderr)
	}
	if f.Layout.Stdin {
		s.Stdin = executor.Stream{Kind: executor.StreamFIFO, Path: f.Stdin}
	}
	return s
}

// ContainerDir returns the directory of a container's attempts. Other files of the
// container may be in it too; Remove removes all of it.
func (d *Dir) ContainerDir(id string) string { return filepath.Join(d.path, id) }

// Files returns the files of a process, whether they exist or not.
func (d *Dir) Files(ref executor.Ref, layout Layout) Files {
	dir := filepath.Join(append([]string{d.path}, place(ref)...)...)
	f := Files{
		Ref: ref, Layout: layout,
		Stdout: filepath.Join(dir, api.Stdout.String()),
		Stderr: filepath.Join(dir, api.Stderr.String()),
	}
	if layout.single() {
		f.Stderr = f.Stdout
	}
	if layout.Stdin {
		f.Stdin = filepath.Join(dir, stdinName)
	}
	return f
}

// Create makes the files of a process. It leaves files that exist as they are, so that
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
	dir := d.root
	for _, part := range place(files.Ref) {
		inner, err := subdir(dir, part)
		if dir != d.root {
			_ = dir.Close()
		}
		if err != nil {
			return err
		}
		dir = inner
	}
	defer dir.Close()
	plain, fifos := files.names()
	for _, name := range plain {
		f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		switch {
		case err == nil:
			err = f.Close()
		case errors.Is(err, fs.ErrExist):
			err = ownFile(dir, name, 0)
		}
		if err != nil {
			return err
		}
	}
	return makeFIFOs(dir, fifos)
}

// makeFIFOs makes those that do not exist.
func makeFIFOs(dir *os.Root, names []string) error {
	self, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer self.Close()
	for _, name := range names {
		err := unix.Mkfifoat(int(self.Fd()), name, 0o600)
		if errors.Is(err, fs.ErrExist) {
			err = ownFile(dir, name, fs.ModeNamedPipe)
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

// RemoveProcess removes the output of one attempt, with that of its execs, or that of an
// exec.
func (d *Dir) RemoveProcess(ref executor.Ref) error {
	if err := ref.Validate(); err != nil {
		return err
	}
	if err := d.root.RemoveAll(filepath.Join(place(ref)...)); err != nil {
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

// ownFile checks that a name is a file of a type, 0 for a regular one, without a second
// name.
func ownFile(dir *os.Root, name string, typ fs.FileMode) error {
	st, err := dir.Lstat(name)
	if err != nil {
		return err
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); st.Mode().Type() != typ || ok && sys.Nlink != 1 {
		return fmt.Errorf("%s is not a plain file of ours", name)
	}
	return nil
}
