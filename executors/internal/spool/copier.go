package spool

import (
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/davit-run/davit/shared/linux"
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
	stat, err := linux.StatOf(pid)
	return copier{shim: stat.Parent, pipe: pipe.Ino}, err
}

// state is what can be seen of a copier.
type state int

const (
	// alive: it has the file open.
	alive state = iota
	// stuck: it has closed the file, and the shim still has the pipe open.
	stuck
	// gone: the shim has ended, or has closed the pipe.
	gone
)

// look returns the state of a copier to a file. For a stuck one it also returns the
// name by which its pipe can be opened.
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
