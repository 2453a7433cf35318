package supervisor

import (
	"bufio"
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
	"time"

	"github.com/davit-run/davit/host/internal/trust"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/failpoint"
	"github.com/davit-run/davit/shared/plugin"
	"github.com/davit-run/davit/shared/transport"
	"golang.org/x/sys/unix"
)

// What a backend's run directory holds. The name of go-plugin's socket is its
// own choice.
const (
	lockFile   = "lock"
	stdoutFile = "stdout"
	logFile    = "log"
	oldLogFile = "log.1"
	// socketDir takes the socket: it belongs to the executor's user until the
	// socket is made. WorkDir is the executor's own part, Environment.RunDir. The
	// rest is the host's.
	socketDir = "s"
	WorkDir   = "x"
)

// handshakePoll is how often a starting executor's stdout is looked at. Plugins
// take about 10 ms to come up.
const handshakePoll = 2 * time.Millisecond

// keptEnv are the only variables of the host that an executor sees: what programs
// need to work, and what the Go runtime is debugged with.
var keptEnv = []string{
	"PATH", "HOME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"GODEBUG", "GOMAXPROCS", "GOMEMLIMIT", "GORACE", "GOTRACEBACK",
}

// launched is an executor process with an open connection to its socket.
type launched struct {
	process *Process
	conn    net.Conn
	child   *child // nil when it was found running
}

// release lets go of the process. One of ours that has ended is reaped.
func (l *launched) release() {
	if l.child != nil {
		select {
		case <-l.process.Done():
			<-l.child.exited
		default:
		}
	}
	l.process.Release()
}

// ending says how the process ended, after it has.
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

// launch starts the executor of a backend, or takes up the one that holds the
// lock in its run directory. ctx bounds it.
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
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer lock.Close() // the executor has its own descriptor of the same lock
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case err == nil:
		child, err := spawn(config, user, lock)
		if err != nil {
			return nil, err
		}
		return attach(ctx, dir, user, child)
	case errors.Is(err, unix.EWOULDBLOCK):
		l, err := attach(ctx, dir, user, nil)
		if err != nil {
			// Whoever holds the lock cannot be talked to. It must not stay: there
			// would be two executors on one backend.
			if killErr := killHolders(dir); killErr != nil {
				return nil, errors.Join(err, killErr)
			}
			return nil, fmt.Errorf("the executor that was found running did not answer and was killed: %w", err)
		}
		return l, nil
	default:
		return nil, fmt.Errorf("locking %s: %w", lock.Name(), err)
	}
}

// makeDirs makes a run directory. What it lies in belongs to the host.
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

// child is a process of ours. Somebody must wait for it, or it stays a zombie.
type child struct {
	pid    int
	exited chan struct{}
	err    error // of Wait, valid after exited
}

// spawn starts an executor with files for its output, a session of its own, the
// lock as descriptor 3, and nothing else of ours.
func spawn(config Config, user User, lock *os.File) (*child, error) {
	dir := config.RunDir
	binary, err := config.Find()
	if err != nil {
		return nil, err
	}
	if err := ownDir(filepath.Join(dir, socketDir), 0o700, user); err != nil {
		return nil, err
	}
	// What an earlier process left must not be taken for this one's.
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
	stdout, err := os.OpenFile(filepath.Join(dir, stdoutFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	stderr, err := os.OpenFile(filepath.Join(dir, logFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	// Go closes its own descriptors in children. Others may have come from
	// whoever started us.
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
		if user != self() {
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(user.UID), Gid: uint32(user.GID)}
		}
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("starting %s: %w", binary.Path, err)
		}
		_ = failpoint.Hit("host.launch.started")
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
		plugin.EnvLogLevel+"="+c.LogLevel,
	)
	for _, key := range append(failpoint.Variables(), keptEnv...) {
		if value, ok := os.LookupEnv(key); ok && (key != "HOME" || user == self()) {
			env = append(env, key+"="+value)
		}
	}
	return env
}

// attach waits for the handshake line of the executor in dir, connects to it and
// takes hold of its process. A child that does not get that far is killed.
func attach(ctx context.Context, dir string, user User, c *child) (_ *launched, err error) {
	var exited <-chan struct{}
	if c != nil {
		exited = c.exited
		defer func() {
			if err != nil {
				_ = unix.Kill(c.pid, unix.SIGKILL) // not waited for yet: the pid is still its own
				<-c.exited
			}
		}()
	}
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
	pid, uid, err := peerOf(conn.(*net.UnixConn))
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
	process, err := openProcess(pid, func() error {
		// The connection is to the process that had this pid when it was accepted.
		// Holding the lock says that it is the executor, and alive.
		if !holds(pid, filepath.Join(dir, lockFile)) {
			return fmt.Errorf("process %d serves %s but does not hold the backend's lock", pid, address)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &launched{process: process, conn: conn, child: c}, nil
}

// awaitHandshake gives the address of the socket from the handshake line.
func awaitHandshake(ctx context.Context, dir string, exited <-chan struct{}) (string, error) {
	for {
		data, err := os.ReadFile(filepath.Join(dir, stdoutFile))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		if line, _, whole := bytes.Cut(data, []byte("\n")); whole {
			return parseHandshake(dir, string(line))
		}
		if len(data) > 4096 {
			return "", fmt.Errorf("the program does not speak go-plugin's handshake: its output starts with %.80q", data)
		}
		select {
		case <-exited:
			return "", errors.New("the executor ended before it was ready")
		case <-ctx.Done():
			return "", fmt.Errorf("the executor did not get ready in time: %w", context.Cause(ctx))
		case <-time.After(handshakePoll):
		}
	}
}

// parseHandshake reads CORE|VERSION|NETWORK|ADDRESS|PROTOCOL|CERT.
func parseHandshake(dir, line string) (string, error) {
	parts := strings.Split(strings.TrimSpace(line), "|")
	if len(parts) < 5 {
		return "", fmt.Errorf("the program does not speak go-plugin's handshake: its first line is %.80q", line)
	}
	if version, err := strconv.Atoi(parts[1]); err != nil {
		return "", fmt.Errorf("the program does not speak go-plugin's handshake: its version is %.20q", parts[1])
	} else if !transport.Speaks(version) {
		return "", transport.Incompatible("the executor", []int{version}, "this host", transport.Protocols())
	}
	if parts[2] != "unix" || parts[4] != "netrpc" {
		return "", executor.Errorf(executor.Unsupported, "the executor offers %.20q over %.20q; a davit executor offers netrpc over unix", parts[4], parts[2])
	}
	if want := filepath.Join(dir, socketDir); filepath.Dir(parts[3]) != want {
		return "", fmt.Errorf("the executor's socket %.120q is not in its run directory %s", parts[3], want)
	}
	return parts[3], nil
}

// peerOf gives the process that listens at the other end, and its user.
func peerOf(conn *net.UnixConn) (pid, uid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, 0, err
	}
	if credErr != nil {
		return 0, 0, credErr
	}
	return int(cred.Pid), int(cred.Uid), nil
}

// lastWords describes how a child ended and what it said last, for an error.
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

// lastLine gives the last line that is not empty of the end of a file.
func lastLine(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const most = 4096
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, 2)
	}
	last := ""
	for scanner := bufio.NewScanner(f); scanner.Scan(); {
		if line := strings.TrimSpace(scanner.Text()); line != "" {
			last = line
		}
	}
	if len(last) > 300 {
		last = last[:300] + "…"
	}
	return strconv.Quote(last)
}
