// Package trust tells whether files can have been put where they are, or changed,
// by anybody but root and the user that this process runs as.
//
// # Rationale
//
// Why look at every directory on the way? Whoever can write to one of them can
// put another directory in its place, and in it any file.
//
// Why are directories such as /tmp accepted on the way, which everybody can write
// to? Their sticky bit keeps others from renaming and removing what is ours. They
// are refused as the place of the file itself, where others could add files.
package trust

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/davit-run/davit/shared/executor"
)

// maxLinks bounds the symbolic links on one path, as the kernel does.
const maxLinks = 40

// Resolve gives path, which is absolute, without symbolic links. The error is
// [executor.FailedPrecondition], and says what to do, if path, a directory on the
// way to it or a link on that way belongs to a stranger or can be written by one,
// and fs.ErrNotExist if there is no such file.
func Resolve(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", executor.Errorf(executor.Invalid, "%q is not an absolute path", path)
	}
	at, rest := "/", split(path)
	info, err := os.Lstat(at)
	if err != nil {
		return "", err
	}
	for links := 0; len(rest) > 0; {
		if err := check(at, info, len(rest) > 1); err != nil {
			return "", err
		}
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		if info, err = os.Lstat(next); err != nil {
			return "", err
		}
		if info.Mode().Type() != fs.ModeSymlink {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
		}
		if err := owned(next, info); err != nil {
			return "", err
		}
		target, err := os.Readlink(next)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(split(target), rest...)
		if info, err = os.Lstat(at); err != nil {
			return "", err
		}
	}
	return at, check(at, info, false)
}

func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// Check checks one file or directory, by what is known of it.
func Check(path string, info fs.FileInfo) error { return check(path, info, false) }

func check(path string, info fs.FileInfo, passing bool) error {
	if err := owned(path, info); err != nil {
		return err
	}
	mode := info.Mode()
	if passing && mode&fs.ModeSticky != 0 {
		return nil
	}
	if mode&0o002 != 0 {
		return executor.Errorf(executor.FailedPrecondition, "%s can be written by everybody; chmod o-w it", path)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if mode&0o020 != 0 && (!ok || st.Gid != 0 && int(st.Gid) != os.Getegid()) {
		return executor.Errorf(executor.FailedPrecondition, "%s can be written by group %d, which is neither root's nor the host's own; chmod g-w it", path, st.Gid)
	}
	return nil
}

func owned(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: its owner cannot be told", path)
	}
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return executor.Errorf(executor.FailedPrecondition, "%s belongs to uid %d, neither root nor the host's own user; chown it", path, st.Uid)
	}
	return nil
}
