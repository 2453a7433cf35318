package archive

import (
	"io/fs"
	"os"
	"time"

	"github.com/davit-run/davit/host/api"
	"golang.org/x/sys/unix"
)

// Describe describes what an O_PATH descriptor refers to. The path is left out.
func Describe(f *os.File, ids IDs) (api.PathInfo, error) {
	st, err := stat(f)
	if err != nil {
		return api.PathInfo{}, err
	}
	p := api.PathInfo{
		Type: typeOf(st.Mode), Size: st.Size, Mode: api.FileMode(st.Mode & 0o7777),
		UID: ids.Inside(st.Uid, ids.UIDs), GID: ids.Inside(st.Gid, ids.GIDs), ModifiedAt: time.Unix(st.Mtim.Unix()),
	}
	if p.Type == api.TypeLink {
		p.Target, err = readLink(f)
	}
	return p, err
}

func typeOf(mode uint32) api.FileType {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return api.TypeFile
	case unix.S_IFDIR:
		return api.TypeDirectory
	case unix.S_IFLNK:
		return api.TypeLink
	case unix.S_IFIFO:
		return api.TypeFIFO
	case unix.S_IFSOCK:
		return api.TypeSocket
	}
	return api.TypeDevice
}

func stat(f *os.File) (st unix.Stat_t, err error) {
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return st, &fs.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	return st, nil
}

// readLink returns where the link leads that an O_PATH descriptor refers to.
func readLink(f *os.File) (string, error) {
	b := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(f.Fd()), "", b)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: f.Name(), Err: err}
	}
	return string(b[:n]), nil
}
