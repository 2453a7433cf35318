package monitor

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// resetSignals restores the default for ignored signals. A program that ignores a
// signal passes that on to all that it starts: nohup does so for SIGHUP, and the C
// library of GNU make for a signal of its own.
func resetSignals() error {
	const ignore = 1 // SIG_IGN; SIG_DFL is 0
	for sig := uintptr(1); sig <= 64; sig++ {
		var action [4]uint64 // the kernel's struct sigaction: first the handler, and a mask of 8 bytes
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&action)), 8, 0, 0); errno != 0 || action[0] != ignore {
			continue
		}
		action = [4]uint64{}
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0); errno != 0 {
			return fmt.Errorf("reset signal %d: %w", sig, errno)
		}
	}
	return nil
}
