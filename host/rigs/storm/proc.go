package storm

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/davit-run/davit/shared/linux"
)

// process is one that was found in /proc.
type process struct {
	pid  int
	args []string
	cwd  string
}

func (p process) String() string {
	return fmt.Sprintf("process %d: %s", p.pid, strings.Join(p.args, " "))
}

// readProcess returns a process, or false if it is gone or a kernel thread.
func readProcess(pid int) (process, bool) {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	line, err := os.ReadFile(filepath.Join(proc, "cmdline"))
	if err != nil || len(line) == 0 {
		return process{}, false
	}
	p := process{pid: pid}
	for arg := range bytes.SplitSeq(bytes.TrimSuffix(line, []byte{0}), []byte{0}) {
		p.args = append(p.args, string(arg))
	}
	p.cwd, _ = os.Readlink(filepath.Join(proc, "cwd"))
	return p, true
}

// processes returns those that match.
func processes(match func(process) bool) []process {
	var found []process
	pids, _ := linux.PIDs()
	for _, pid := range pids {
		if pid == os.Getpid() {
			continue
		}
		if p, ok := readProcess(pid); ok && match(p) {
			found = append(found, p)
		}
	}
	return found
}

// only returns the one process that matches and is no child of another that does: a
// child between fork and exec looks like its parent.
func only(match func(process) bool) (process, bool) {
	found := processes(match)
	for _, p := range found {
		child := false
		for _, q := range found {
			child = child || parentOf(p.pid) == q.pid
		}
		if !child {
			return p, true
		}
	}
	return process{}, false
}

// signalTo sends a signal to a process that still matches.
func signalTo(p process, match func(process) bool, sig syscall.Signal) bool {
	pidfd, err := linux.OpenProcess(p.pid, func() error {
		if now, ok := readProcess(p.pid); !ok || !match(now) {
			return syscall.ESRCH
		}
		return nil
	})
	if err != nil {
		return false
	}
	defer pidfd.Close()
	return pidfd.Signal(sig) == nil
}

func parentOf(pid int) int {
	s, _ := linux.StatOf(pid)
	return s.Parent
}

// startTime returns when a process that is no zombie started, in ticks since boot, or
// "".
func startTime(pid int) string {
	if s, err := linux.StatOf(pid); err == nil && s.State != 'Z' {
		return strconv.FormatUint(s.Start, 10)
	}
	return ""
}
