package linux

import (
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// InDir calls fn in a working directory of its own, in a goroutine of its own, and waits for
// it. The rest of the program stays where it is. The error is that of fn, or that the
// directory cannot be entered.
func InDir(dir string, fn func() error) (err error) {
	var wg sync.WaitGroup
	wg.Go(func() {
		// The thread ends with the goroutine, since it is not unlocked.
		runtime.LockOSThread()
		if err = unix.Unshare(unix.CLONE_FS); err == nil {
			err = unix.Chdir(dir)
		}
		if err == nil {
			err = fn()
		}
	})
	wg.Wait()
	return err
}
