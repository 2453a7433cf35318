package access

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/trust"
)

// maxLinks bounds the links from one path to another, as the kernel does.
const maxLinks = 40

// settled returns a path, which is absolute, without links. It is an error if anybody but root
// and the host's user could make it lead elsewhere, now or later: if one of the directories that
// the file is in belongs to others, or can be written by them. The file itself may be anybody's.
func settled(path string) (string, error) {
	at := filepath.Clean(path)
	for range maxLinks {
		if at == "/" {
			return at, nil
		}
		dir, err := trust.File(filepath.Dir(at))
		if err != nil {
			return "", unsettled(path, err)
		}
		at = filepath.Join(dir, filepath.Base(at))
		info, err := os.Lstat(at)
		if err != nil {
			return "", unsettled(path, err)
		}
		if info.Mode().Type() != fs.ModeSymlink {
			return at, nil
		}
		target, err := os.Readlink(at)
		if err != nil {
			return "", unsettled(path, err)
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		at = filepath.Clean(target)
	}
	return "", unsettled(path, &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP})
}

// unsettled returns the error for a path that leads nowhere, or anywhere.
func unsettled(path string, err error) error {
	if missing, ok := errors.AsType[*fs.PathError](err); ok {
		return executor.Errorf(executor.Invalid, "%q: %w; create it first", path, missing.Err)
	}
	why, _, _ := strings.Cut(err.Error(), "; ") // what follows is advice to the owner of a config
	return api.Denied("%q could be made to lead elsewhere before it is mounted: %s; mount the outermost directory that is not root's, or let root own those on the way", path, why)
}
