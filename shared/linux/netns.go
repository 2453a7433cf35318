package linux

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// NetNS is the path of the network namespace of the calling thread.
const NetNS = "/proc/thread-self/ns/net"

// KeepNetNS calls fn on a thread whose network namespace fn may change, and that returns to
// its own afterwards. Nothing else runs on it meanwhile.
func KeepNetNS(fn func() error) error {
	done := make(chan error)
	go func() {
		// A thread that cannot go back is never unlocked, and ends with the goroutine. That is
		// no way for each, since it would be none for the first thread of a process, which
		// does not end before it, and stands for all of it in /proc.
		runtime.LockOSThread()
		before, err := os.Open(NetNS)
		if err != nil {
			runtime.UnlockOSThread()
			done <- err
			return
		}
		defer before.Close()
		err = fn()
		if unix.Setns(int(before.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// WithinNetNS calls fn on a thread that is in the network namespace at a path. Sockets that fn
// makes stay in it.
func WithinNetNS(path string, fn func() error) error {
	return KeepNetNS(func() error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("setns", err)
		}
		return fn()
	})
}
