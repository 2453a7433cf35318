package ocispec

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

// maxUserFile bounds what is read of a rootfs' /etc/passwd and /etc/group.
const maxUserFile = 4 << 20

var numericUser = regexp.MustCompile(`^[0-9]+:[0-9]+$`)

// lookUpUser gives the process.user of USER[:GROUP] by the files of a rootfs.
func lookUpUser(rootfs, spec string) (patch, error) {
	var passwd, group io.Reader
	if !numericUser.MatchString(spec) {
		p, err := openInRoot(rootfs, "etc/passwd")
		if err != nil {
			return nil, err
		}
		defer p.Close()
		g, err := openInRoot(rootfs, "etc/group")
		if err != nil {
			return nil, err
		}
		defer g.Close()
		passwd, group = io.LimitReader(p, maxUserFile), io.LimitReader(g, maxUserFile)
	}
	found, err := user.GetExecUser(spec, nil, passwd, group)
	switch {
	case errors.Is(err, user.ErrRange):
		return nil, fmt.Errorf("user %q: ids go from 0 to 2147483647", spec)
	case errors.Is(err, user.ErrNoPasswdEntries), errors.Is(err, user.ErrNoGroupEntries):
		return nil, fmt.Errorf("user %q is not known in /etc/passwd and /etc/group of rootfs %q; give numbers, such as 1000:1000", spec, rootfs)
	case err != nil:
		return nil, fmt.Errorf("user %q in rootfs %q: %w", spec, rootfs, err)
	}
	// A process that is in none of the groups but by its gid could drop that, and
	// with it what the group is denied.
	groups := append([]int{found.Gid}, found.Sgids...)
	slices.Sort(groups)
	groups = slices.Compact(groups)
	for _, id := range append([]int{found.Uid}, groups...) {
		if id < 0 || id > 1<<31-1 { // the files may say anything; 1<<32 would become 0
			return nil, fmt.Errorf("user %q in rootfs %q has the id %d; ids go from 0 to 2147483647", spec, rootfs, id)
		}
	}
	return patch{"uid": found.Uid, "gid": found.Gid, "additionalGids": groups}, nil
}

// openInRoot opens a regular file with symbolic links followed as a process in
// the container would. A file that does not exist is empty.
func openInRoot(rootfs, name string) (io.ReadCloser, error) {
	fail := func(err error) (io.ReadCloser, error) {
		return nil, fmt.Errorf("file %q of rootfs %q cannot be read: %w; give the user by numbers, such as 1000:1000", "/"+name, rootfs, reason(err))
	}
	dir, err := os.Open(rootfs)
	if err != nil {
		return fail(err)
	}
	defer dir.Close()
	fd, err := unix.Openat2(int(dir.Fd()), name, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY, // nothing there may block us
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if errors.Is(err, unix.ENOENT) {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if err != nil {
		return fail(err)
	}
	f := os.NewFile(uintptr(fd), name)
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return fail(cmp.Or(err, errNotRegular))
	}
	return f, nil
}
