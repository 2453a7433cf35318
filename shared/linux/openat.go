package linux

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// Openat2 is [unix.Openat2], tried again when the kernel gives up because something was
// renamed or mounted meanwhile.
func Openat2(dir int, path string, how *unix.OpenHow) (fd int, err error) {
	const tries = 128
	for range tries {
		fd, err = unix.Openat2(dir, path, how)
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return fd, err
}

// FDPath returns a path that leads to what a descriptor of this process refers to.
func FDPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
