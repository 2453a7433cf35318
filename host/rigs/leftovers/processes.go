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
func descendants(except int) []int {
	children := make(map[int][]int)
	pids, _ := linux.PIDs()
	for _, pid := range pids {
		if st, err := linux.StatOf(pid); err == nil {
			children[st.Parent] = append(children[st.Parent], pid)
		}
	}
	for _, pid := range children[os.Getpid()] {
		if pid != except {
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
	}
	var found []int
	for next := []int{os.Getpid()}; len(next) > 0; next = next[1:] {
		found = append(found, children[next[0]]...)
		next = append(next, children[next[0]]...)
	}
	return found
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
