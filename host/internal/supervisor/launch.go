package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/davit-run/davit/shared/linux"
	"github.com/davit-run/davit/shared/plugin"
	"github.com/davit-run/davit/shared/transport"
	"github.com/davit-run/davit/shared/trust"
	"golang.org/x/sys/unix"
)

// The files of a backend's run directory. go-plugin chooses the name of the socket.
const (
	lockFile   = "lock"
	stdoutFile = "stdout"
	logFile    = "log"
	oldLogFile = "log.1"
	// socketDir has the socket. It belongs to the executor's user until the socket is
	// made. WorkDir is the executor's own part, Environment.RunDir. The rest is the
	// host's.
	socketDir = "s"
	WorkDir   = "x"
)

// keptEnv lists the only variables of the host that an executor gets: those that programs
// need to work, and those that debug the Go runtime.
var keptEnv = []string{
	"PATH", "HOME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"GODEBUG", "GOMAXPROCS", "GOMEMLIMIT", "GORACE", "GOTRACEBACK",
}

// launched is an executor process with an open connection to its socket.
type launched struct {
	process *Process
	conn    net.Conn
	child   *child // nil when it was found running
	relay   *relay
}

// release stops watching the process. A child that has ended is reaped.
func (l *launched) release() {
	l.relay.close()
	if l.child != nil {
		select {
		case <-l.process.Done():
			<-l.child.exited
		default:
		}
	}
	l.process.Release()
}

// ending describes how the process ended. Call it after the process has ended.
func (l *launched) ending() string {
	if l.child == nil {
		return "the executor ended"
	}
	<-l.child.exited
	if l.child.err == nil {
		return "the executor ended (exit status 0)"
	}
	return fmt.Sprintf("the executor ended (%s)", l.child.err)
}

// launch starts the executor of a backend, or connects to the one that has the lock in
// its run directory. ctx bounds it.
func launch(ctx context.Context, config Config) (*launched, error) {
	dir, user := config.RunDir, self()
	if config.User != nil {
		var err error
		if user, err = config.User(); err != nil {
			return nil, err
		}
	}
	if err := makeDirs(dir, user); err != nil {
		return nil, err
	}
	lock, err := linux.Open(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	defer lock.Close() // the executor has its own descriptor of the same lock
	err = linux.Lock(lock, 0)
	switch {
	case err == nil:
		child, err := spawn(config, user, lock)
		if err != nil {
			return nil, err
		}
		return connect(ctx, config, user, child)
	case errors.Is(err, unix.EWOULDBLOCK):
		l, err := connect(ctx, config, user, nil)
		if err != nil {
			// The process that has the lock does not answer. It must end, or there
			// would be two executors on one backend.
			if killErr := killHolders(dir); killErr != nil {
				return nil, errors.Join(err, killErr)
			}
			return nil, fmt.Errorf("the executor that was found running did not answer and was killed: %w", err)
		}
		return l, nil
	default:
		return nil, err
	}
}

// makeDirs makes a run directory. Its parent belongs to the host.
func makeDirs(dir string, user User) error {
	mode := fs.FileMode(0o700)
	if user != self() {
		mode = 0o711
	}
	if err := ownDir(dir, mode, self()); err != nil {
		return err
	}
	return ownDir(filepath.Join(dir, WorkDir), 0o700, user)
}

func ownDir(path string, mode fs.FileMode, user User) error {
	if err := trust.Dir(path, mode, user.UID, user.GID); err != nil {
		return fmt.Errorf("run directory: %w", err)
	}
	return nil
}

// child is a child process. It must be waited for, or it stays a zombie.
type child struct {
	pid    int
	exited chan struct{}
	err    error // of Wait, valid after exited
}

// spawn starts an executor with files for its output, a session of its own, the lock as
// descriptor 3, and no other descriptor of the host.
func spawn(config Config, user User, lock *os.File) (*child, error) {
	dir := config.RunDir
	binary, err := config.Find()
	if err != nil {
		return nil, err
	}
	if err := ownDir(filepath.Join(dir, socketDir), 0o700, user); err != nil {
		return nil, err
	}
	// Files of an earlier process must not be taken for this one's.
	stale, _ := filepath.Glob(filepath.Join(dir, socketDir, "*"))
	for _, path := range append(stale, filepath.Join(dir, stdoutFile)) {
		if err := os.RemoveAll(path); err != nil {
			return nil, err
		}
	}
	err = os.Rename(filepath.Join(dir, logFile), filepath.Join(dir, oldLogFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	stdout, err := linux.Open(filepath.Join(dir, stdoutFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	stderr, err := linux.Open(filepath.Join(dir, logFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	// Go closes its own descriptors in children. Others may come from the process that
	// started the host.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL) {
		return nil, fmt.Errorf("closing descriptors: %w", err)
	}
	c := &child{exited: make(chan struct{})}
	err = config.Programs.use(binary, func(path string, image *os.File) error {
		cmd := exec.Command(path)
		cmd.Args[0] = binary.Path
		cmd.Dir, cmd.Env = dir, config.environ(user)
		cmd.Stdout, cmd.Stderr = stdout, stderr
		cmd.ExtraFiles = []*os.File{lock}
		if image != nil {
			cmd.ExtraFiles = append(cmd.ExtraFiles, image)
			cmd.Path = "/proc/self/fd/4" // of the child: after stdio and the lock
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if config.endsWithUs {
			cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
		}
		if user != self() {
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(user.UID), Gid: uint32(user.GID)}
		}
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("starting %s: %w", binary.Path, err)
		}
		c.pid = cmd.Process.Pid
		go func() {
			c.err = cmd.Wait()
			close(c.exited)
		}()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// environ is the environment of the executor.
func (c Config) environ(user User) []string {
	env := append(transport.HandshakeEnv(),
		"PLUGIN_UNIX_SOCKET_DIR="+filepath.Join(c.RunDir, socketDir),
		plugin.EnvLogLevel+"="+c.Logger.GetLevel().String(),
	)
	for _, key := range keptEnv {
		if value, ok := os.LookupEnv(key); ok && (key != "HOME" || user == self()) {
			env = append(env, key+"="+value)
		}
	}
	return env
}

// connect waits for the handshake line of the executor of config, connects to it, and
// opens a pidfd of its process. It kills a child that does not get that far.
func connect(ctx context.Context, config Config, user User, c *child) (_ *launched, err error) {
	dir := config.RunDir
	relay, err := startRelay(dir, c == nil, config.Logger)
	if err != nil {
		config.Logger.Warn("cannot read the executor's log", "error", err)
	}
	var exited <-chan struct{}
	if c != nil {
		exited = c.exited
	}
	defer func() {
		if err == nil {
			return
		}
		if c != nil {
			_ = unix.Kill(c.pid, unix.SIGKILL) // not waited for yet: the pid is still its own
			<-c.exited
		}
		relay.close()
	}()
	address, err := awaitHandshake(ctx, dir, exited)
	if err != nil {
		if c != nil {
			err = fmt.Errorf("%w%s", err, lastWords(dir, c))
		}
		return nil, err
	}
	// From here on nobody but the host can connect, not even the executor's own
	// workloads, which may run as its user.
	if err := ownDir(filepath.Dir(address), 0o700, self()); err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", address)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	pid, uid, err := linux.PeerOf(conn.(*net.UnixConn))
	if err != nil {
		return nil, err
	}
	if uid != user.UID {
		return nil, fmt.Errorf("%s is served by process %d of uid %d, and the executor is to run as uid %d", address, pid, uid, user.UID)
	}
	if c != nil && pid != c.pid {
		return nil, fmt.Errorf("%s is served by process %d, not by the executor that was started (%d)", address, pid, c.pid)
	}
	if pid == os.Getpid() {
		return nil, fmt.Errorf("%s is served by the host itself", address)
	}
	pidfd, err := linux.OpenProcess(pid, func() error {
		// The connection is to the process that had this pid when it was accepted. If
		// it has the lock file open, it is the executor, and alive.
		if !linux.HasOpen(pid, filepath.Join(dir, lockFile)) {
			return fmt.Errorf("process %d serves %s but does not hold the backend's lock", pid, address)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &launched{process: watch(pidfd), conn: conn, child: c, relay: relay}, nil
}

// lastWords describes how a child ended and what it logged last, for an error.
func lastWords(dir string, c *child) string {
	var words strings.Builder
	select {
	case <-c.exited:
		if c.err != nil {
			fmt.Fprintf(&words, " (%s)", c.err)
		} else {
			words.WriteString(" (exit status 0)")
		}
	default:
	}
	if line := lastLine(filepath.Join(dir, logFile)); line != "" {
		fmt.Fprintf(&words, "; it said: %s", line)
	}
	return words.String()
}

// lastLine returns the last line of a file that is not empty, quoted.
func lastLine(path string) string {
	f, err := linux.Open(path, os.O_RDONLY)
	if err != nil {
		return ""
	}
	defer f.Close()
	const most = 4096
	end := make([]byte, most)
	if info, err := f.Stat(); err == nil {
		n, _ := f.ReadAt(end, max(0, info.Size()-most))
		end = bytes.TrimSpace(end[:n])
	}
	last := string(end[bytes.LastIndexByte(end, '\n')+1:])
	if last == "" {
		return ""
	}
	if len(last) > 300 {
		last = last[:300] + "…"
	}
	return strconv.Quote(last)
}
