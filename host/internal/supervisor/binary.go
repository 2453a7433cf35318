package supervisor

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// Prefix of the file name of every executor.
const Prefix = "davit-executor-"

// Binary is an executor's program.
type Binary struct {
	Path string
	// SHA256 is the digest in hex that its bytes must have, or empty.
	SHA256 string
}

// verified gives a copy of the program in memory that nobody can change any
// more, and whose digest is right. What is executed is the copy, so that it is of
// no use to swap the file between the check and the start.
func (b Binary) verified() (*os.File, error) {
	file, err := os.Open(b.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	fd, err := unix.MemfdCreate(filepath.Base(b.Path), unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("memory for %s: %w", b.Path, err)
	}
	image := os.NewFile(uintptr(fd), b.Path)
	digest := sha256.New()
	_, err = io.Copy(io.MultiWriter(image, digest), file)
	if err == nil {
		_, err = unix.FcntlInt(image.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if got := hex.EncodeToString(digest.Sum(nil)); err == nil && !strings.EqualFold(got, b.SHA256) {
		err = executor.Errorf(executor.FailedPrecondition, "%s has the SHA-256 digest %s, the config wants %s: install the program that was meant, or set sha256 anew", b.Path, got, strings.ToLower(b.SHA256))
	}
	if err != nil {
		_ = image.Close()
		return nil, err
	}
	return image, nil
}

// Find looks an executor up in dirs, in order, and checks that nobody but root
// and the host's own user can have put it there. PATH is never consulted.
func Find(dirs []string, name string) (string, error) {
	if name == "" || strings.ContainsAny(name, "/\x00") || strings.HasPrefix(name, ".") {
		return "", executor.Errorf(executor.Invalid, "executor name %q is not a file name", name)
	}
	if len(dirs) == 0 {
		return "", executor.Errorf(executor.FailedPrecondition, "executor %q: no executor directory is configured; set executor_dirs", name)
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, Prefix+name)
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", executor.Errorf(executor.FailedPrecondition, "executor %q: %w", name, err)
		}
		if err := checkFile(dir, path, info); err != nil {
			return "", err
		}
		return path, nil
	}
	return "", executor.Errorf(executor.NotFound, "executor %q: no file %s in %s%s", name, Prefix+name, strings.Join(dirs, ", "), installed(dirs))
}

func checkFile(dir, path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return executor.Errorf(executor.FailedPrecondition, "%s is not a regular file", path)
	}
	if info.Mode()&0o111 == 0 {
		return executor.Errorf(executor.FailedPrecondition, "%s is not executable; chmod +x it", path)
	}
	dirInfo, err := os.Stat(dir)
	if err != nil {
		return executor.Errorf(executor.FailedPrecondition, "executor directory: %w", err)
	}
	for name, info := range map[string]fs.FileInfo{dir: dirInfo, path: info} {
		if info.Mode()&0o002 != 0 {
			return executor.Errorf(executor.FailedPrecondition, "%s can be written by everybody; chmod o-w it", name)
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
			return executor.Errorf(executor.FailedPrecondition, "%s belongs to uid %d, neither root nor the host's own user", name, st.Uid)
		}
	}
	return nil
}

// Installed lists the names of the executors in dirs.
func Installed(dirs []string) []string {
	var names []string
	for _, dir := range dirs {
		matches, _ := filepath.Glob(filepath.Join(dir, Prefix+"*"))
		for _, m := range matches {
			names = append(names, strings.TrimPrefix(filepath.Base(m), Prefix))
		}
	}
	return names
}

func installed(dirs []string) string {
	names := Installed(dirs)
	if len(names) == 0 {
		return "; no executor is installed there"
	}
	return fmt.Sprintf("; installed are: %s", strings.Join(names, ", "))
}
