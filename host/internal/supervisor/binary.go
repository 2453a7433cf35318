package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/davit-run/davit/shared/executor"
)

// Prefix of the file name of every executor.
const Prefix = "davit-executor-"

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
