package leftovers

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// descendants lists the processes that descend from this one. Its own children that
// have ended are reaped meanwhile, except for one.
func descendants(except int) (pids []int) {
	for _, p := range linux.Descendants(os.Getpid()) {
		pids = append(pids, p.PID)
		if p.PID != except && p.Parent == os.Getpid() {
			_, _ = unix.Wait4(p.PID, nil, unix.WNOHANG, nil)
		}
	}
	return pids
}

// describe returns the command of a process, or "" if it has ended.
func describe(pid int) string {
	command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // a zombie has none
	return strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " "))
}

// killAll kills what descends from this process. What is killed may leave others to it.
func killAll() {
	for range 100 {
		left := descendants(0)
		for _, pid := range left {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		if len(left) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
