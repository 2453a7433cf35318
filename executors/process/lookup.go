package process

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// lookUp gives the path of a process's program within root, and checks that its
// working directory is there.
func lookUp(root string, p *specs.Process) (string, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", executor.Errorf(executor.Invalid, "root.path %q: %w", root, err)
	}
	defer unix.Close(dir)
	cwd := filepath.Join("/", p.Cwd)
	if mode, err := modeOf(dir, cwd); err != nil {
		return "", executor.Errorf(executor.Invalid, "process.cwd %q: %w", p.Cwd, err)
	} else if mode&unix.S_IFMT != unix.S_IFDIR {
		return "", executor.Errorf(executor.Invalid, "process.cwd %q is not a directory", p.Cwd)
	}

	name := p.Args[0]
	candidates := []string{name}
	if !strings.Contains(name, "/") {
		candidates = nil
		for _, d := range filepath.SplitList(pathOf(p.Env)) {
			candidates = append(candidates, filepath.Join(d, name))
		}
	}
	var denied error
	for _, c := range candidates {
		if !filepath.IsAbs(c) {
			c = filepath.Join(cwd, c)
		}
		mode, err := modeOf(dir, c)
		switch {
		case err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR):
			denied = executor.Errorf(executor.CommandNotExecutable, "%s: %w", c, err)
		case err != nil:
		case mode&unix.S_IFMT == unix.S_IFDIR:
			denied = executor.Errorf(executor.CommandNotExecutable, "%s is a directory", c)
		case mode&0o111 == 0:
			denied = executor.Errorf(executor.CommandNotExecutable, "%s is not executable", c)
		default:
			return c, nil
		}
	}
	switch {
	case denied != nil:
		return "", denied
	case strings.Contains(name, "/"):
		return "", executor.Errorf(executor.CommandNotFound, "%s: no such file", name)
	default:
		return "", executor.Errorf(executor.CommandNotFound, "%q is not found in PATH (%s)", name, pathOf(p.Env))
	}
}

// modeOf gives the mode of a file within the root that dir is open on, with
// symbolic links followed as a process there would.
func modeOf(dir int, path string) (uint32, error) {
	fd, err := unix.Openat2(dir, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return st.Mode, err
}

func pathOf(env []string) string {
	path := ""
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			path = v
		}
	}
	return path
}
