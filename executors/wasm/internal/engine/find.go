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
)

const (
	// maxModule bounds the size of a module, in bytes.
	maxModule = 512 << 20
	// magic is how every WebAssembly binary begins.
	magic = "\x00asm"
	// extension is what a command may be given without.
	extension = ".wasm"
)

// find gives the bytes of the module that a command names, and its path.
//
// A command with a slash is a path in the tree, seen from cwd. Any other is looked
// for in the directories of PATH, as a shell would, and then in cwd. Each place is
// tried as it is and with ".wasm" behind, and what does not begin like a module is
// passed over, so that one root file system can hold a program for Linux and its
// module side by side. What is not in the tree may be in one of the module
// directories of the host: by its absolute path there, or a command without a
// slash by its name.
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
			s.try(name, func(name string) (*os.File, error) { return os.OpenInRoot(dir, name) })
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

// variable gives the value of an environment variable, the last one if it is set
// twice.
func variable(env []string, name string) string {
	for _, e := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// search is for a module at several places, of which the first one counts.
type search struct {
	module []byte
	path   string
	// problem is with the first file that was found and is no module.
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

// cause takes off what names a file.
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
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
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
	if errors.Is(err, io.EOF) { // it has become shorter
		err = nil
	}
	return module[:n], err
}
