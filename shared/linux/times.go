package linux

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SetTimes sets the times of access and of modification of what is open. The call of package
// unix needs a path, and with that some time.
func SetTimes(fd int, times [2]unix.Timespec) error {
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("utimensat", errno)
	}
	return nil
}
