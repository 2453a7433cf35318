package store

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// lock makes this process the owner of a store until the file is closed. The lock has a
// file of its own, because the file of the store may be replaced.
func lock(path string, timeout time.Duration) (*os.File, error) {
	f, err := linux.Open(path+".lock", os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW)
	if err != nil {
		return nil, executor.Errorf(executor.Unavailable, "store: %w", err)
	}
	if err = linux.Lock(f, timeout); err == nil {
		return f, nil
	}
	_ = f.Close()
	if locked, ok := errors.AsType[*linux.LockedError](err); ok {
		return nil, executor.Errorf(executor.FailedPrecondition, "store %s is in use by another host%s; stop it, or choose another state directory", path, locked.Holder())
	}
	return nil, executor.Errorf(executor.Unavailable, "store: %w", err)
}
