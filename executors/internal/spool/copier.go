package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// copier is the part of a shim that copies one stream from a pipe to a file.
type copier struct {
	shim int    // pid
	pipe uint64 // inode
	// file is the shim's descriptor of the file when it was last seen.
	file string
}

// copierOf finds the copier of a stream of a workload: fd is 1 or 2, pid the
// workload's first process, whose parent is the shim.
func copierOf(pid, fd int) (copier, error) {
	var pipe syscall.Stat_t
	if err := syscall.Stat(fmt.Sprintf("/proc/%d/fd/%d", pid, fd), &pipe); err != nil {
		return copier{}, err
	}
	if pipe.Mode&syscall.S_IFMT != syscall.S_IFIFO {
		return copier{}, fmt.Errorf("descriptor %d of process %d is not a pipe", fd, pid)
	}
	shim, err := parentOf(pid)
	return copier{shim: shim, pipe: pipe.Ino}, err
}

func parentOf(pid int) (int, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, stat)
	}
	return strconv.Atoi(fields[1])
}

// state is what can be seen of a copier.
type state int

const (
	// alive: it has the file open.
	alive state = iota
	// stuck: it has closed the file, and the shim still holds the pipe.
	stuck
	// gone: the shim has ended, or has let go of the pipe.
	gone
)

// look tells the state of a copier to a file, and for a stuck one by which name
// its pipe can be opened.
func (c *copier) look(file *syscall.Stat_t) (s state, pipe string) {
	var st syscall.Stat_t
	if c.file != "" && syscall.Stat(c.file, &st) == nil && same(&st, file) {
		return alive, ""
	}
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", c.shim))
	for _, name := range names {
		if syscall.Stat(name, &st) != nil {
			continue
		}
		switch {
		case same(&st, file):
			c.file = name
			return alive, ""
		case st.Mode&syscall.S_IFMT == syscall.S_IFIFO && st.Ino == c.pipe:
			pipe = name
		}
	}
	if pipe == "" {
		return gone, ""
	}
	return stuck, pipe
}

func same(a, b *syscall.Stat_t) bool { return a.Dev == b.Dev && a.Ino == b.Ino }
