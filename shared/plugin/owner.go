package plugin

import (
	"errors"
	"os"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// ownerTimeout is how long a killed executor may take to be gone.
const ownerTimeout = 2 * time.Second

// own makes this process the only executor on a backend's StateDir until the returned
// file is closed. It locks the directory itself, and so writes nothing. The error is
// [executor.FailedPrecondition] if another executor has the lock.
func own(stateDir string) (*os.File, error) {
	dir, err := os.Open(stateDir)
	if err != nil {
		return nil, err
	}
	if err = linux.Lock(dir, ownerTimeout); err == nil {
		return dir, nil
	}
	_ = dir.Close()
	if held, ok := errors.AsType[*linux.LockedError](err); ok {
		err = executor.Errorf(executor.FailedPrecondition, "another executor%s has opened the backend in %s; stop it first", held.Holder(), stateDir)
	}
	return nil, err
}
