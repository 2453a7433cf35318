package storm

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
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

// readProcess gives a process, or false if it is gone or a kernel thread.
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

// processes gives those that match.
func processes(match func(process) bool) []process {
	var found []process
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if p, ok := readProcess(pid); ok && match(p) {
			found = append(found, p)
		}
	}
	return found
}

// only gives the one process that matches and is no child of another that does: a
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

// signalTo sends a signal to a process that still matches. The handle keeps the
// pid from becoming another's in between.
func signalTo(p process, match func(process) bool, sig syscall.Signal) bool {
	handle, err := os.FindProcess(p.pid)
	if err != nil {
		return false
	}
	defer func() { _ = handle.Release() }()
	now, ok := readProcess(p.pid)
	return ok && match(now) && handle.Signal(sig) == nil
}

// statFields gives the fields of /proc/PID/stat from the third on.
func statFields(pid int) []string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}

func parentOf(pid int) int {
	if f := statFields(pid); len(f) > 1 {
		ppid, _ := strconv.Atoi(f[1])
		return ppid
	}
	return 0
}

// startTime gives the start time of a process in ticks since boot, or "".
func startTime(pid int) string {
	if f := statFields(pid); len(f) > 19 && f[0] != "Z" {
		return f[19]
	}
	return ""
}
