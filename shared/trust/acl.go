package trust

import (
	"encoding/binary"
	"errors"
	"os"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// An access control list is an extended attribute: a version and entries of a tag, the
// permissions, and an id, all little-endian.
const (
	aclAttribute = "system.posix_acl_access"
	aclVersion   = 2
	aclHeader    = 4
	aclEntry     = 8

	aclUser     = 0x02
	aclOwnGroup = 0x04
	aclGroup    = 0x08
	aclMask     = 0x10
	aclWrite    = 2
)

// acl is who an access control list lets write, beside the owner and everybody.
type acl struct {
	users, groups []uint32
	ownGroup      bool
}

// readACL reads the list of a file, nil if it has none. It follows no link.
func readACL(path string) (*acl, error) {
	buf := make([]byte, 64<<10) // the most that an attribute can have
	n, err := unix.Lgetxattr(path, aclAttribute, buf)
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, &os.PathError{Op: "getxattr", Path: path, Err: err}
	}
	return parseACL(buf[:n])
}

func parseACL(b []byte) (*acl, error) {
	if len(b) < aclHeader || binary.LittleEndian.Uint32(b) != aclVersion || (len(b)-aclHeader)%aclEntry != 0 {
		return nil, errors.New("its access control list has an unknown form")
	}
	var list acl
	mask := uint16(aclWrite) // without one, entries stand as they are
	for b = b[aclHeader:]; len(b) > 0; b = b[aclEntry:] {
		tag, perm, id := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:]), binary.LittleEndian.Uint32(b[4:])
		switch {
		case tag == aclMask:
			mask = perm
		case perm&aclWrite == 0:
		case tag == aclUser:
			list.users = append(list.users, id)
		case tag == aclGroup:
			list.groups = append(list.groups, id)
		case tag == aclOwnGroup:
			list.ownGroup = true
		}
	}
	if mask&aclWrite == 0 {
		return &acl{}, nil
	}
	return &list, nil
}

// check refuses a list that lets others write.
func (l *acl) check(path string) error {
	for _, uid := range l.users {
		if uid != 0 && int(uid) != os.Geteuid() {
			return executor.Errorf(executor.FailedPrecondition, "%s can be written by uid %d, through its access control list; setfacl -b it", path, uid)
		}
	}
	for _, gid := range l.groups {
		if gid != 0 && int(gid) != os.Getegid() {
			return executor.Errorf(executor.FailedPrecondition, "%s can be written by group %d, through its access control list; setfacl -b it", path, gid)
		}
	}
	return nil
}
