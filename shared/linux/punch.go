package linux

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// PunchFile is [Punch] for a path. It follows no link.
func PunchFile(path string, offset int64) (int64, error) {
	f, err := Open(path, os.O_WRONLY|unix.O_NOFOLLOW)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return Punch(f, offset)
}

// Punch drops the part of a file below an offset, rounded down to whole blocks, and
// returns where the rest begins. The file keeps its size.
func Punch(f *os.File, offset int64) (int64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, err
	}
	offset -= offset % max(4096, int64(st.Blksize))
	if offset <= 0 {
		return 0, nil
	}
	for {
		err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, offset)
		if !errors.Is(err, unix.EINTR) {
			return offset, err
		}
	}
}
