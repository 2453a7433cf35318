package output

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// firstData gives the offset of the first byte that a file still holds, which is
// its size if there is none. A hole is all that tells of what was dropped: it
// cannot disagree with the file.
func firstData(f *os.File, size int64) int64 {
	at, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return size
	case err != nil: // a file system without holes
		return 0
	}
	return at
}

// punchFile drops all of a file below an offset, rounded down to whole blocks,
// and gives where what is left begins.
func punchFile(path string, offset int64) (int64, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, err
	}
	offset -= offset % max(4096, int64(st.Blksize))
	if offset <= 0 {
		return 0, nil
	}
	for {
		err = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, offset)
		if !errors.Is(err, unix.EINTR) {
			return offset, err
		}
	}
}
