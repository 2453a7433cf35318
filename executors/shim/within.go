package shim

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/linux"
)

// killWithin kills the processes whose working directory is dir, and waits for
// their end. Only shims and the OCI runtimes that they run work in a bundle.
func killWithin(ctx context.Context, dir string) error {
	_, err := oci.KillAll(ctx, func(pid int) bool { return worksIn(pid, dir) })
	if err != nil {
		err = fmt.Errorf("%s: %w", dir, err)
	}
	return err
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
