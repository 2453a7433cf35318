package workload

import (
	"syscall"
	"unsafe"
)

// terminalSize returns the size of a terminal, zero if it is none.
func terminalSize(fd uintptr) (rows, columns int) {
	var size struct{ rows, columns, x, y uint16 }
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return 0, 0
	}
	return int(size.rows), int(size.columns)
}
