package api

import (
	"errors"
	"net"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/shared/executor"
)

// CheckGroup checks that a group can be that of a [Socket]. Empty means none.
func CheckGroup(name string) error {
	if name == "" {
		return nil
	}
	_, err := lookUpGroup(name)
	return err
}

// Regroup changes the group whose members may connect to a socket that Listen has made.
// Empty means none. Those who are connected stay connected.
func Regroup(l net.Listener, group string) error {
	made, ok := l.(*listener)
	if !ok {
		return executor.Errorf(executor.FailedPrecondition, "the socket was not made by this process; whoever made it says who may connect")
	}
	gid := -1
	if group != "" {
		var err error
		if gid, err = lookUpGroup(group); err != nil {
			return err
		}
	}
	made.mu.Lock()
	defer made.mu.Unlock()
	made.socket.Group = group // also of one that is made again
	path := made.socket.Path
	if gid < 0 {
		return errors.Join(os.Chmod(path, 0o600), os.Chown(path, -1, os.Getegid()))
	}
	if dir := filepath.Dir(path); dir == filepath.Clean(made.socket.RunDir) {
		if err := reshare(dir, gid); err != nil {
			return err
		}
	}
	return errors.Join(os.Chmod(path, 0o600), os.Chown(path, -1, gid), os.Chmod(path, 0o660))
}

// reshare lets another group than before into a directory that others cannot enter.
func reshare(dir string, gid int) error {
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o007 != 0 {
		return err
	}
	return errors.Join(os.Chmod(dir, 0o700), os.Chown(dir, -1, gid), os.Chmod(dir, 0o750))
}
