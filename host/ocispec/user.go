package ocispec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// lookUpUser returns the process.user for USER[:GROUP], each a name or a number, from
// the files of a rootfs. A uid that /etc/passwd does not have is in group 0, as in docker.
func lookUpUser(rootfs, spec string) (patch, error) {
	userName, groupName, hasGroup := strings.Cut(spec, ":")
	uid, userErr := strconv.Atoi(userName)
	gid, groupErr := strconv.Atoi(groupName)
	if userErr == nil && (uid < 0 || uid > maxID) || groupErr == nil && (gid < 0 || gid > maxID) {
		return nil, fmt.Errorf("user %q: ids go from 0 to %d", spec, maxID)
	}
	var groups []int
	if userErr != nil || !hasGroup {
		match := numbered(uid)
		if userErr != nil {
			match = named(userName)
		}
		passwd, err := readAccounts(rootfs, "etc/passwd")
		if err != nil {
			return nil, err
		}
		user := passwd.find(match)
		switch {
		case user == nil && userErr != nil:
			return nil, unknownUser(spec, rootfs)
		case user != nil:
			if uid, err = user.id(2, "uid"); err != nil {
				return nil, err
			}
			if gid, groups, err = groupsOf(rootfs, *user, hasGroup, gid); err != nil {
				return nil, err
			}
		}
	}
	if hasGroup && groupErr != nil {
		file, err := readAccounts(rootfs, "etc/group")
		if err != nil {
			return nil, err
		}
		group := file.find(named(groupName))
		if group == nil {
			return nil, unknownUser(spec, rootfs)
		}
		if gid, err = group.id(2, "gid"); err != nil {
			return nil, err
		}
	}
	// A process that is in a group only by its gid could drop the gid, and with it what
	// the group is denied.
	groups = append(groups, gid)
	slices.Sort(groups)
	if groups = slices.Compact(groups); len(groups) > maxGroups {
		return nil, fmt.Errorf("user %q in rootfs %q is in %d groups, at most %d are possible; give a group, such as %s:0", spec, rootfs, len(groups), maxGroups, userName)
	}
	return patch{"uid": uid, "gid": gid, "additionalGids": groups}, nil
}

// groupsOf returns the gid of a user and the groups that it is a member of. If a group
// is given, that one is all.
func groupsOf(rootfs string, user account, given bool, gid int) (int, []int, error) {
	if given {
		return gid, nil, nil
	}
	gid, err := user.id(3, "gid")
	if err != nil {
		return 0, nil, err
	}
	file, err := readAccounts(rootfs, "etc/group")
	if err != nil {
		return 0, nil, err
	}
	groups, err := file.groupsOf(user.fields[0])
	return gid, groups, err
}

func unknownUser(spec, rootfs string) error {
	return fmt.Errorf("user %q is not known in /etc/passwd and /etc/group of rootfs %q; give numbers, such as 1000:1000", spec, rootfs)
}

// openInRoot opens a regular file with symbolic links followed as a process in
// the container would. A file that does not exist is empty.
func openInRoot(rootfs, name string) (io.ReadCloser, error) {
	fail := func(err error) (io.ReadCloser, error) {
		return nil, fmt.Errorf("file %q of rootfs %q cannot be read: %w; give the user by numbers, such as 1000:1000", "/"+name, rootfs, reason(err))
	}
	f, err := linux.OpenIn(rootfs, name, os.O_RDONLY, unix.RESOLVE_IN_ROOT)
	if errors.Is(err, fs.ErrNotExist) {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if err != nil {
		return fail(err)
	}
	return f, nil
}
