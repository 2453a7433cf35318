package output

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// firstData returns the offset of the first byte that a file still has, or its size if
// there is none. The hole is the only record of what was dropped, so that it cannot
// disagree with the file.
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
