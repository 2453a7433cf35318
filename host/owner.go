package host

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// ownRunDir locks a run directory, so that this process is the only host on it until the
// file is closed. The store locks the state directory; a host with another state
// directory would still take the executors of this run directory for its own.
func ownRunDir(dir string) (*os.File, error) {
	f, err := linux.Open(filepath.Join(dir, "host.lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW)
	if err != nil {
		return nil, err
	}
	if err = linux.Lock(f, 0); err == nil {
		return f, nil
	}
	_ = f.Close()
	if locked, ok := errors.AsType[*linux.LockedError](err); ok {
		err = executor.Errorf(executor.FailedPrecondition, "%s is in use by another host%s; stop it, or choose another run directory", dir, locked.Holder())
	}
	return nil, err
}
