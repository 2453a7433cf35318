package host

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// ownRunDir makes this process the only host on a run directory until the file is
// closed. The store does so for the state directory: a host on another one would
// take this one's executors for its own.
func ownRunDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "host.lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
		if f.Truncate(0) == nil { // for people
			_, _ = fmt.Fprintf(f, "%d\n", os.Getpid())
		}
		return f, nil
	}
	defer f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		pid, _ := io.ReadAll(io.NewSectionReader(f, 0, 32))
		return nil, executor.Errorf(executor.FailedPrecondition, "%s is in use by another host (pid %s); stop it, or choose another run directory", dir, strings.TrimSpace(string(pid)))
	}
	return nil, fmt.Errorf("lock on %s: %w", dir, err)
}
