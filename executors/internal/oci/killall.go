package oci

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// KillAll kills the processes that match until there are none, since one that is about to
// be killed may have forked. It returns the pids of all. The error says that some do not
// end before ctx does.
func KillAll(ctx context.Context, match func(pid int) bool) (killed []int, err error) {
	for d := time.Millisecond; ; d = min(2*d, 50*time.Millisecond) {
		found, err := linux.FindProcesses(match)
		if len(found) == 0 {
			return killed, err
		}
		var left []int
		for _, p := range found {
			_ = p.Signal(unix.SIGKILL)
			_ = p.Close()
			left = append(left, p.PID)
			if !slices.Contains(killed, p.PID) {
				killed = append(killed, p.PID)
			}
		}
		if !Pause(ctx, d) {
			return killed, fmt.Errorf("processes %v do not end: %w", left, ctx.Err())
		}
	}
}
