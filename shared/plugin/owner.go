package plugin

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// ownerTimeout is how long an executor that was killed may take to be gone.
const ownerTimeout = 2 * time.Second

// own makes this process the only executor on a backend's StateDir until the file
// is closed. It locks the directory itself, and so writes nothing. The error is
// [executor.FailedPrecondition] if there is another.
func own(stateDir string) (*os.File, error) {
	dir, err := os.Open(stateDir)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(ownerTimeout); ; time.Sleep(10 * time.Millisecond) {
		err = syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) {
			break
		}
	}
	defer dir.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, executor.Errorf(executor.FailedPrecondition, "another executor%s has opened the backend in %s; stop it first", holder(dir), stateDir)
	}
	return nil, fmt.Errorf("lock on %s: %w", stateDir, err)
}

// holder names the process that has locked a file, for people.
func holder(f *os.File) string {
	var st syscall.Stat_t
	locks, err := os.ReadFile("/proc/locks")
	if err == nil {
		err = syscall.Fstat(int(f.Fd()), &st)
	}
	for line := range strings.Lines(string(locks)) {
		// 1: FLOCK  ADVISORY  WRITE 4242 fe:00:393478 0 EOF
		fields := strings.Fields(line)
		if err == nil && len(fields) >= 6 && fields[1] == "FLOCK" && strings.HasSuffix(fields[5], fmt.Sprintf(":%d", st.Ino)) {
			return fmt.Sprintf(" (pid %s)", fields[4])
		}
	}
	return ""
}
