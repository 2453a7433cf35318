package capture

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Owner is the user and the group that pipes of a workload belong to.
type Owner struct{ UID, GID int }

// Pipe returns a pipe for the output of a workload. to is the workload's end. The
// workload can open it again by the names that it has for it.
func Pipe(owner Owner) (from, to *os.File, err error) {
	return pipe(owner, 0, 0o622)
}

// InputPipe is like Pipe for the input of a workload, which has the end from.
func InputPipe(owner Owner) (from, to *os.File, err error) {
	return pipe(owner, 1, 0o644)
}

// pipe returns a pipe of which we have the end ours, which does not block.
func pipe(owner Owner, ours int, mode uint32) (from, to *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe", err)
	}
	err = errors.Join(unix.SetNonblock(fds[ours], true), unix.Fchmod(fds[0], mode))
	if err == nil && (owner.UID != os.Geteuid() || owner.GID != os.Getegid()) {
		err = unix.Fchown(fds[0], owner.UID, owner.GID)
	}
	if err != nil {
		return nil, nil, errors.Join(err, unix.Close(fds[0]), unix.Close(fds[1]))
	}
	return os.NewFile(uintptr(fds[0]), "pipe"), os.NewFile(uintptr(fds[1]), "pipe"), nil
}
