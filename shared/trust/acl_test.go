package trust

import (
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// entry is an entry of an access control list, as the kernel stores it.
func entry(tag, perm uint16, id uint32) []byte {
	b := binary.LittleEndian.AppendUint16(nil, tag)
	b = binary.LittleEndian.AppendUint16(b, perm)
	return binary.LittleEndian.AppendUint32(b, id)
}

func listOf(entries ...[]byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for _, e := range entries {
		b = append(b, e...)
	}
	return b
}

const (
	userObject = 0x01
	other      = 0x20
	noID       = 1<<32 - 1
)

func TestAccessControlLists(t *testing.T) {
	const stranger = 4321
	for name, tt := range map[string]struct {
		extra []byte
		mask  uint16
		want  string
	}{
		"a user":        {entry(aclUser, 6, stranger), 6, "can be written by uid 4321, through its access control list; setfacl -b it"},
		"a group":       {entry(aclGroup, 6, stranger), 6, "can be written by group 4321, through its access control list"},
		"masked":        {entry(aclUser, 6, stranger), 4, ""},
		"a reader":      {entry(aclUser, 4, stranger), 6, ""},
		"root":          {entry(aclUser, 6, 0), 6, ""},
		"root's group":  {entry(aclGroup, 6, 0), 6, ""},
		"the own group": {nil, 6, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t)
			for _, path := range []string{dir + "/a", dir + "/a/b/file"} {
				list := listOf(entry(userObject, 7, noID), tt.extra, entry(aclOwnGroup, 5, noID), entry(aclMask, tt.mask|1, noID), entry(other, 5, noID))
				if err := unix.Setxattr(path, aclAttribute, list, 0); err != nil {
					t.Skip(err)
				}
				_, err := Resolve(dir + "/a/b/file")
				if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), path+" "+tt.want)) {
					t.Errorf("%s: got %v, want %q", path, err, tt.want)
				}
				if err := unix.Removexattr(path, aclAttribute); err != nil && !errors.Is(err, unix.ENODATA) {
					t.Fatal(err)
				}
			}
		})
	}
}

// A file that is named, such as a config, may be in /tmp: nobody can replace it there.
func TestFileInStickyDirectory(t *testing.T) {
	dir := tree(t)
	if err := os.Chmod(dir+"/a/b", 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if _, err := File(dir + "/a/b/file"); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(dir+"/a/b", 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := File(dir + "/a/b/file"); err == nil {
		t.Error("in a directory of everybody: no error")
	}
}

func FuzzACL(f *testing.F) {
	f.Add(listOf(entry(userObject, 7, noID), entry(aclUser, 6, 4321), entry(aclMask, 6, noID), entry(other, 5, noID)))
	f.Add(listOf(entry(aclGroup, 2, 1)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseACL(b)
		if err == nil && len(list.users)+len(list.groups) > len(b)/aclEntry {
			t.Errorf("%x: got %+v", b, list)
		}
	})
}
