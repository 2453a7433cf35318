package shim

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// killWithin kills the processes whose working directory is dir, and waits for
// their end. Only shims and the OCI runtimes that they run work in a bundle.
func killWithin(ctx context.Context, dir string) error {
	for d := time.Millisecond; ; d = min(2*d, 50*time.Millisecond) {
		found, err := linux.FindProcesses(func(pid int) bool { return worksIn(pid, dir) })
		if len(found) == 0 {
			return err
		}
		var pids []int
		for _, p := range found {
			_ = p.Signal(unix.SIGKILL)
			_ = p.Close()
			pids = append(pids, p.PID)
		}
		if !oci.Pause(ctx, d) {
			return fmt.Errorf("processes %v in %s do not end: %w", pids, dir, ctx.Err())
		}
	}
}

// processesWithin lists the processes whose working directory is dir.
func processesWithin(dir string) []int {
	pids, _ := linux.PIDs()
	return slices.DeleteFunc(pids, func(pid int) bool { return pid == os.Getpid() || !worksIn(pid, dir) })
}

func worksIn(pid int, dir string) bool {
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return err == nil && strings.TrimSuffix(cwd, " (deleted)") == dir
}
