package shim

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// socketsOf returns the paths at which a process listens.
func socketsOf(pid int) (paths []string) {
	inodes := map[string]bool{}
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, fd := range fds {
		to, _ := os.Readlink(fd)
		if inode, ok := strings.CutPrefix(to, "socket:["); ok {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	table, _ := os.ReadFile("/proc/net/unix")
	for line := range bytes.Lines(table) {
		// Num RefCount Protocol Flags Type St Inode Path, where a flag says that it listens.
		f := strings.Fields(string(line))
		if len(f) == 8 && f[3] == "00010000" && inodes[f[6]] && filepath.IsAbs(f[7]) {
			paths = append(paths, f[7])
		}
	}
	return paths
}

// listenAt listens on a socket, in the place of whatever is there. Its file stays when the
// listener is closed.
func listenAt(path string) (*net.UnixListener, error) {
	if err := removeSocket(path); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err == nil {
		l.SetUnlinkOnClose(false)
	}
	return l, err
}

// removeSocket removes a socket's file, if there is one.
func removeSocket(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
