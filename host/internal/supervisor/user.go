package supervisor

import (
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/davit-run/davit/shared/executor"
)

// User is the user that an executor runs as.
type User struct{ UID, GID int }

// self is the user of this process.
func self() User { return User{os.Geteuid(), os.Getegid()} }

// LookUpUser parses NAME or UID, optionally followed by :GROUP or :GID, and looks up
// names. The default group is that of the user's account. A UID with a GID needs no
// account.
func LookUpUser(text string) (User, error) {
	name, group, hasGroup := strings.Cut(text, ":")
	var u User
	var err error
	account, lookupErr := user.LookupId(name)
	if u.UID, err = id(name); err != nil {
		if account, lookupErr = user.Lookup(name); lookupErr != nil {
			return u, executor.Errorf(executor.NotFound, "user %q: %w; make it with `useradd --system`, or name another", name, lookupErr)
		}
		if u.UID, err = id(account.Uid); err != nil {
			return u, err
		}
	}
	switch {
	case !hasGroup && lookupErr != nil:
		return u, executor.Errorf(executor.Invalid, "uid %s has no account, so its group is not known; write %s:GID", name, name)
	case !hasGroup:
		u.GID, err = id(account.Gid)
	default:
		if u.GID, err = id(group); err != nil {
			var g *user.Group
			if g, err = user.LookupGroup(group); err != nil {
				return u, executor.Errorf(executor.NotFound, "group %q: %w; make it with `groupadd --system`, or name another", group, err)
			}
			u.GID, err = id(g.Gid)
		}
	}
	return u, err
}

func id(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err
}
