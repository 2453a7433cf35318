package engine

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/davit-run/davit/executors/wasm/internal/guestfs"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

const (
	// maxModule bounds the size of a module, in bytes.
	maxModule = 512 << 20
	// magic is how every WebAssembly binary begins.
	magic = "\x00asm"
	// extension is what a command may leave out.
	extension = ".wasm"
)

// find returns the bytes of the module that a command names, and its path.
//
// A command with a slash is a path in the tree, relative to cwd. Any other is looked
// up in the directories of PATH, as by a shell, and then in cwd. Each path is tried
// as it is and with ".wasm" appended. Files that do not begin like a module are
// skipped, so that one root file system can have a program for Linux and its module
// side by side. A command that is not in the tree may be in one of the module
// directories of the host: by its absolute path there, or, without a slash, by its
// name.
func find(tree *guestfs.Tree, p Plan) (module []byte, path string, err error) {
	command := p.Args[0]
	s := search{}
	switch {
	case command == "":
	case filepath.IsAbs(command):
		s.try(command, tree.Open)
	case strings.Contains(command, "/"):
		s.try(p.Cwd+"/"+command, tree.Open)
	default:
		for _, dir := range append(filepath.SplitList(variable(p.Env, "PATH")), p.Cwd) {
			s.try(strings.TrimRight(dir, "/")+"/"+command, tree.Open)
		}
	}
	for _, dir := range p.ModuleDirs {
		if name, ok := strings.CutPrefix(filepath.Clean(command), filepath.Clean(dir)+"/"); ok || command != "" && !strings.Contains(command, "/") {
			s.try(name, func(name string) (*os.File, error) {
				return linux.OpenIn(dir, name, os.O_RDONLY, unix.RESOLVE_BENEATH)
			})
		}
	}
	switch {
	case s.module != nil:
		return s.module, s.path, nil
	case s.problem != nil:
		return nil, "", executor.Errorf(executor.CommandNotExecutable, "command %q cannot be run: %w", command, s.problem)
	}
	return nil, "", executor.Errorf(executor.CommandNotFound,
		"command %q: there is no such module in the root file system, with or without %s at its end", command, extension)
}

// variable returns the value of an environment variable, the last one if it is set
// twice.
func variable(env []string, name string) string {
	for _, e := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// search looks for a module at several places, of which the first one counts.
type search struct {
	module []byte
	path   string
	// problem says why the first file that was found is not a module.
	problem error
}

func (s *search) try(path string, open func(string) (*os.File, error)) {
	for _, path := range []string{path, path + extension} {
		if s.module != nil {
			return
		}
		f, err := open(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		if err == nil {
			s.module, err = readModule(f)
			_ = f.Close()
		}
		if s.path = path; err != nil && s.problem == nil {
			s.problem = &os.PathError{Op: "module", Path: path, Err: cause(err)}
		}
	}
}

// cause returns an error without the name of a file.
func cause(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}

func readModule(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	head := make([]byte, len(magic))
	if n, err := io.ReadFull(f, head); string(head[:n]) != magic {
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, err
		}
		return nil, errors.New("not a WebAssembly module")
	}
	if info.Size() > maxModule {
		return nil, errors.New("larger than 512 MiB")
	}
	module := make([]byte, info.Size())
	n, err := f.ReadAt(module, 0)
	if errors.Is(err, io.EOF) { // the file has become shorter
		err = nil
	}
	return module[:n], err
}
