package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/shared/executor"
)

// lock makes this process the owner of a store until the file is closed. The
// lock has a file of its own, because that of the store may be replaced.
func lock(path string, timeout time.Duration) (*os.File, error) {
	name := path + ".lock"
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, executor.Errorf(executor.Unavailable, "store: %w", err)
	}
	deadline := time.Now().Add(timeout)
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(deadline) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err == nil {
		if err = f.Truncate(0); err == nil {
			_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
		}
		if err == nil || errors.Is(err, unix.ENOSPC) { // the pid is for people only
			return f, nil
		}
	}
	defer f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, executor.Errorf(executor.FailedPrecondition, "store %s is in use by another host%s; stop it, or choose another state directory", path, holder(f))
	}
	return nil, executor.Errorf(executor.Unavailable, "store: lock %s: %w", name, err)
}

// holder gives what the owner wrote into the lock file, for people.
func holder(f *os.File) string {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if pid := strings.TrimSpace(string(b)); err == nil && pid != "" {
		return fmt.Sprintf(" (pid %s)", pid)
	}
	return ""
}
