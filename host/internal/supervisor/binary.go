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

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/davit-run/davit/shared/trust"
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

// copyTo copies the program, checks the digest of the copy, and returns the digest.
func (b Binary) copyTo(dst io.Writer, source io.Reader) (digest string, err error) {
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(dst, hash), source); err != nil {
		return "", fmt.Errorf("copying %s: %w", b.Path, err)
	}
	digest = hex.EncodeToString(hash.Sum(nil))
	if b.SHA256 != "" && !strings.EqualFold(digest, b.SHA256) {
		return "", executor.Errorf(executor.FailedPrecondition, "%s has the SHA-256 digest %s, the config wants %s: install the program that was meant, or set sha256 anew", b.Path, digest, strings.ToLower(b.SHA256))
	}
	return digest, nil
}

// open opens the program's file, and checks the opened file as Find does.
func (b Binary) open() (*os.File, fs.FileInfo, error) {
	file, err := linux.Open(b.Path, os.O_RDONLY)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil {
		err = checkProgram(b.Path, info)
	}
	if err != nil {
		_ = file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// inMemory returns a copy of the program that nobody can change any more.
func (b Binary) inMemory() (*os.File, error) {
	file, _, err := b.open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	fd, err := unix.MemfdCreate(filepath.Base(b.Path), unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("memory for %s: %w", b.Path, err)
	}
	image := os.NewFile(uintptr(fd), b.Path)
	_, err = b.copyTo(image, file)
	if err == nil {
		_, err = unix.FcntlInt(image.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
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
		resolved, err := trust.Resolve(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var info fs.FileInfo
		if err == nil {
			info, err = os.Stat(resolved)
		}
		if err == nil {
			err = checkProgram(path, info)
		}
		if err != nil {
			return "", executor.Errorf(executor.FailedPrecondition, "executor %q: %w", name, err)
		}
		return path, nil
	}
	return "", executor.Errorf(executor.NotFound, "executor %q: no file %s in %s%s", name, Prefix+name, strings.Join(dirs, ", "), installed(dirs))
}

func checkProgram(path string, info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return executor.Errorf(executor.FailedPrecondition, "%s is not a regular file", path)
	case info.Mode()&0o111 == 0:
		return executor.Errorf(executor.FailedPrecondition, "%s is not executable; chmod +x it", path)
	}
	return trust.Check(path, info)
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
