package archive

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// paxAttribute is what the names of PAX records begin with that have extended attributes.
const paxAttribute = "SCHILY.xattr."

// copied reports whether an extended attribute is copied: the capabilities of a file, and
// what users have set. Labels and ACLs are those of a machine.
func copied(name string) bool {
	return name == "security.capability" || strings.HasPrefix(name, "user.")
}

// readAttributes returns the extended attributes of a file or directory.
func readAttributes(f *os.File) (map[string]string, error) {
	path := fdPath(f)
	names, err := grown(func(b []byte) (int, error) { return unix.Listxattr(path, b) })
	if err != nil || len(names) == 0 {
		return nil, unsupported(err)
	}
	var found map[string]string
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		if !copied(name) {
			continue
		}
		value, err := grown(func(b []byte) (int, error) { return unix.Getxattr(path, name, b) })
		if errors.Is(err, unix.ENODATA) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if found == nil {
			found = map[string]string{}
		}
		found[name] = string(value)
	}
	return found, nil
}

// writeAttributes sets the extended attributes that PAX records have.
func writeAttributes(f *os.File, records map[string]string) error {
	for key, value := range records {
		name, ok := strings.CutPrefix(key, paxAttribute)
		if !ok || !copied(name) {
			continue
		}
		if err := unsupported(unix.Setxattr(fdPath(f), name, []byte(value), 0)); err != nil && (os.Geteuid() == 0 || !errors.Is(err, unix.EPERM)) {
			return err
		}
	}
	return nil
}

// grown calls read with a buffer that is large enough.
func grown(read func([]byte) (int, error)) ([]byte, error) {
	for b := make([]byte, 256); ; b = make([]byte, 4*len(b)) {
		n, err := read(b)
		if err == nil {
			return b[:n], nil
		}
		if !errors.Is(err, unix.ERANGE) || len(b) > 1<<16 { // the kernel's maximum is 64 KiB
			return nil, err
		}
	}
}

// unsupported returns err, unless it says that the file system has no extended attributes.
func unsupported(err error) error {
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}
