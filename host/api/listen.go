package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// maxSocketPath is the size of the path in sockaddr_un, less its final zero byte.
const maxSocketPath = 107

// answerTime is how long a process must answer on a socket to be taken for a host.
const answerTime = time.Second

func checkLength(socket string) error {
	if len(socket) > maxSocketPath {
		return invalid("the path of the socket %s has %d bytes, at most %d are possible; choose a shorter one", socket, len(socket), maxSocketPath)
	}
	return nil
}

// Socket describes where a host listens.
type Socket struct {
	// Path of the socket.
	Path string
	// Group is the group whose members may connect, beside the host's user. Empty means
	// none.
	Group string
	// RunDir is the run directory of the host.
	RunDir string
	// Logger logs when the socket had to be made again. Nil discards that.
	Logger Logger
}

// Listen makes the API's socket. Only the user can connect to it and, if a group is
// named, that group. The error is [executor.FailedPrecondition] if a host already answers
// there. A socket on which nobody answers is replaced.
//
// Listen makes the socket's directory if it does not exist. It lets the group into that
// directory and RunDir as far as is needed to reach the socket, and leaves other
// directories as they are. If somebody removes the socket, it is made again.
func Listen(s Socket) (net.Listener, error) { return listen(s, answerTime) }

func listen(s Socket, answerTime time.Duration) (net.Listener, error) {
	l, err := bind(s, answerTime)
	if err != nil {
		return nil, err
	}
	return newListener(s, l)
}

// bind makes the socket.
func bind(s Socket, answerTime time.Duration) (*net.UnixListener, error) {
	socket := s.Path
	if err := checkLength(socket); err != nil {
		return nil, err
	}
	gid := -1
	if s.Group != "" {
		var err error
		if gid, err = lookUpGroup(s.Group); err != nil {
			return nil, err
		}
	}
	dir, err := openDir(filepath.Dir(socket), s.RunDir, gid)
	if err != nil {
		return nil, fmt.Errorf("directory of the API's socket: %w", err)
	}
	defer dir.Close()
	// Several hosts may start at once. The lock lets one at a time check the socket and
	// bind it.
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock on %s: %w", dir.Name(), err)
	}
	if err := removeStale(socket, answerTime); err != nil {
		return nil, err
	}
	// The mode of the unbound socket becomes that of the file, so that there is no
	// moment at which others could connect.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var chmodErr error
		err := c.Control(func(fd uintptr) { chmodErr = unix.Fchmod(int(fd), 0o600) })
		return cmp.Or(err, chmodErr)
	}}
	l, err := lc.Listen(context.Background(), "unix", socket)
	if err == nil && gid >= 0 {
		err = errors.Join(os.Chown(socket, -1, gid), os.Chmod(socket, 0o660))
		if err != nil {
			l.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the API's socket: %w", err)
	}
	return l.(*net.UnixListener), nil
}

func lookUpGroup(name string) (int, error) {
	group, err := user.LookupGroup(name)
	if err != nil {
		return 0, executor.Errorf(executor.NotFound, "api group %q: %w; make it with `groupadd --system %s`, or name another", name, err, name)
	}
	return strconv.Atoi(group.Gid)
}

// openDir opens the directory of the socket.
func openDir(path, runDir string, gid int) (*os.File, error) {
	err := os.Mkdir(path, 0o700)
	made := err == nil
	if errors.Is(err, fs.ErrNotExist) {
		err = os.MkdirAll(path, 0o755)
		made = err == nil
		if made {
			err = os.Chmod(path, 0o700)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if gid >= 0 && (made || path == filepath.Clean(runDir)) {
		err = share(dir, gid)
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// share lets a group into a directory that only the user could enter.
func share(dir *os.File, gid int) error {
	info, err := dir.Stat()
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		return err
	}
	return errors.Join(dir.Chown(-1, gid), dir.Chmod(0o750))
}

// removeStale removes a socket on which nobody answers.
func removeStale(socket string, answerTime time.Duration) error {
	info, err := os.Lstat(socket)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return executor.Errorf(executor.FailedPrecondition, "%s is in the way of the API's socket and is no socket; remove it, or set api socket to another path", socket)
	}
	// If a host was killed while it started a process, the child has the host's sockets
	// for a moment, until it has called exec.
	for end := time.Now().Add(answerTime); answers(socket); time.Sleep(20 * time.Millisecond) {
		if time.Now().Before(end) {
			continue
		}
		return executor.Errorf(executor.FailedPrecondition, "another host answers at %s; stop it, or set api socket to another path", socket)
	}
	return os.Remove(socket)
}

func answers(socket string) bool {
	conn, err := net.Dial("unix", socket) // the kernel answers, or fails, at once
	if err == nil {
		conn.Close()
	}
	return !errors.Is(err, syscall.ECONNREFUSED)
}
