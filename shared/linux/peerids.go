package linux

import (
	"encoding/binary"
	"errors"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// IDs are the user and the groups of a process.
type IDs struct {
	UID, GID int
	// Groups are its supplementary groups.
	Groups []int
}

// PeerIDs returns the user and the groups of the process at the other end of a Unix socket, as
// they were when it connected (SO_PEERCRED and SO_PEERGROUPS). What the files of accounts say
// does not matter: a process that has left a group has not got it, and one that was started
// before its user joined one has not got that either.
func PeerIDs(conn *net.UnixConn) (ids IDs, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return IDs{}, err
	}
	cerr := raw.Control(func(fd uintptr) {
		cred, cerr := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if cerr != nil {
			err = cerr
			return
		}
		ids.UID, ids.GID = int(cred.Uid), int(cred.Gid)
		ids.Groups, err = peerGroups(fd)
	})
	return ids, errors.Join(cerr, err)
}

// peerGroups returns the supplementary groups at the other end of a Unix socket. x/sys has no
// function for an option of a length that is not known.
func peerGroups(fd uintptr) ([]int, error) {
	const maxGroups = 1 << 16 // the kernel's NGROUPS_MAX
	for room := 32; room <= maxGroups; room *= 2 {
		buf := make([]byte, 4*room)
		size := uint32(len(buf))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&size)), 0)
		if errors.Is(errno, unix.ERANGE) {
			continue
		}
		if errno != 0 {
			return nil, errno
		}
		groups := make([]int, 0, size/4)
		for b := buf[:size]; len(b) >= 4; b = b[4:] {
			groups = append(groups, int(binary.NativeEndian.Uint32(b)))
		}
		return groups, nil
	}
	return nil, unix.ERANGE
}
