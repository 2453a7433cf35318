package command

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// Command is what a workload is to execute.
type Command struct {
	Args, Env []string
	Cwd       string
	// Mounts are the destinations of what is mounted in the root file system.
	Mounts []string
}

// Find returns the path of the program within the root file system that root is. The
// path is empty if it cannot be known. The error is [executor.CommandNotFound] or
// [executor.CommandNotExecutable].
func (c Command) Find(root string) (string, error) {
	if len(c.Args) == 0 || c.Args[0] == "" {
		return "", executor.Errorf(executor.CommandNotFound, "the command is empty")
	}
	if err := c.fits(); err != nil {
		return "", err
	}
	r, err := openRoot(root, c.Mounts)
	if err != nil {
		return "", executor.Errorf(executor.Invalid, "root.path %q: %w", root, err)
	}
	defer r.close()
	name := c.Args[0]
	candidates := []string{name}
	if !strings.Contains(name, "/") {
		candidates = nil
		for _, dir := range filepath.SplitList(pathOf(c.Env)) {
			candidates = append(candidates, filepath.Join(dir, name))
		}
	}
	var denied error
	for _, path := range candidates {
		if !filepath.IsAbs(path) {
			// Not filepath.Join, which would let "x/.." pass where x is no directory.
			path = filepath.Join("/", c.Cwd) + "/" + path
		}
		err := r.executable(path)
		switch {
		case err == nil:
			return path, r.program(path, 0)
		case errors.Is(err, errUnknown):
			return "", nil
		case !isMissing(err):
			denied = executor.Errorf(executor.CommandNotExecutable, "%s: %w", path, err)
		}
	}
	switch {
	case denied != nil:
		return "", denied
	case strings.Contains(name, "/"):
		return "", executor.Errorf(executor.CommandNotFound, "%s: no such file", name)
	}
	return "", executor.Errorf(executor.CommandNotFound, "%q is not found in PATH (%s)", name, pathOf(c.Env))
}

func isMissing(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) }

// The kernel's bounds for arguments and environment, which depend on the limit of the
// stack. This is the highest that it can be.
const (
	maxString = 128 << 10
	maxTotal  = 6 << 20
)

// fits checks what the kernel would refuse in any file system.
func (c Command) fits() error {
	total := 0
	for i, s := range append(append([]string(nil), c.Args...), c.Env...) {
		what := fmt.Sprintf("argument %d", i)
		if i >= len(c.Args) {
			name, _, _ := strings.Cut(s, "=")
			what = fmt.Sprintf("environment variable %.40q", name)
		}
		if strings.ContainsRune(s, 0) {
			return executor.Errorf(executor.Invalid, "%s has a NUL byte, which no program can be given", what)
		}
		if len(s) >= maxString {
			return executor.Errorf(executor.CommandNotExecutable, "%s has %d bytes, and the kernel takes fewer than %d: %w", what, len(s), maxString, unix.E2BIG)
		}
		total += len(s) + 1 + 8 // and a pointer
	}
	if total > maxTotal {
		return executor.Errorf(executor.CommandNotExecutable, "arguments and environment have %d bytes, and the kernel takes at most %d: %w", total, maxTotal, unix.E2BIG)
	}
	return nil
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

// binfmt has the formats that somebody has registered beside those of the kernel.
const binfmt = "/proc/sys/fs/binfmt_misc"

func moreFormats() bool {
	entries, _ := os.ReadDir(binfmt)
	for _, e := range entries {
		if e.Name() != "register" && e.Name() != "status" {
			return true
		}
	}
	return false
}
