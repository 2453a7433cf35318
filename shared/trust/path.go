// Package trust checks that only root and the user that this process runs as can have put
// files where they are, or changed them.
//
// # Rationale
//
// Why check every directory on the way? Somebody who can write to one of them can replace
// the next directory by another, with any file in it.
//
// Why are access control lists read? They let others write where the mode shows nothing
// but a group.
//
// Why are directories such as /tmp accepted on the way, which everybody can write
// to? Their sticky bit keeps others from renaming and removing this user's files. They
// are refused as the directory of the file itself, where others could add files.
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

// Resolve returns path, which is absolute, without symbolic links. The error is
// [executor.FailedPrecondition], and says what to do, if another user owns or can write
// to path, a directory on the way to it, or a link on that way. It is fs.ErrNotExist if
// there is no such file.
func Resolve(path string) (string, error) { return resolve(path, false) }

// resolve does it. sticky accepts a sticky directory as that of the file itself.
func resolve(path string, sticky bool) (string, error) {
	if !filepath.IsAbs(path) {
		return "", executor.Errorf(executor.Invalid, "%q is not an absolute path", path)
	}
	at, rest := "/", split(path)
	info, err := os.Lstat(at)
	if err != nil {
		return "", err
	}
	for links := 0; len(rest) > 0; {
		if err := check(at, info, sticky || len(rest) > 1); err != nil {
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

// File is [Resolve] for a file that is named, and not looked for in a directory: that
// directory may be one such as /tmp.
func File(path string) (string, error) { return resolve(path, true) }

// Check checks one file or directory by its info.
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
	list, err := readACL(path)
	if err != nil {
		return err
	}
	ownGroup := mode&0o020 != 0
	if list != nil { // the group's bits in the mode are the list's mask
		ownGroup = list.ownGroup
		if err := list.check(path); err != nil {
			return err
		}
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if ownGroup && (!ok || st.Gid != 0 && int(st.Gid) != os.Getegid()) {
		return executor.Errorf(executor.FailedPrecondition, "%s can be written by group %d, which is neither root's nor the host's own; chmod g-w it", path, st.Gid)
	}
	return nil
}

func owned(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: its owner is not known", path)
	}
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return executor.Errorf(executor.FailedPrecondition, "%s belongs to uid %d, neither root nor the host's own user; chown it", path, st.Uid)
	}
	return nil
}
