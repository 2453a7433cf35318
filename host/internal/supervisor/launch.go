package supervisor

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
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
	// WorkDir is the executor's own part: Environment.RunDir.
	WorkDir = "x"
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

// launch starts the executor at binary, or takes up the one that holds the lock
// in dir. ctx bounds it.
func launch(ctx context.Context, dir string, binary Binary, logLevel string) (*launched, error) {
	if err := os.MkdirAll(filepath.Join(dir, WorkDir), 0o700); err != nil {
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
		child, err := spawn(dir, binary, logLevel, lock)
		if err != nil {
			return nil, err
		}
		return attach(ctx, dir, child)
	case errors.Is(err, unix.EWOULDBLOCK):
		l, err := attach(ctx, dir, nil)
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

// child is a process of ours. Somebody must wait for it, or it stays a zombie.
type child struct {
	pid    int
	exited chan struct{}
	err    error // of Wait, valid after exited
}

// spawn starts binary with files for its output, a session of its own and the
// lock as descriptor 3.
func spawn(dir string, binary Binary, logLevel string, lock *os.File) (*child, error) {
	// What an earlier process left must not be taken for this one's.
	stale, _ := filepath.Glob(filepath.Join(dir, "plugin*"))
	for _, path := range append(stale, filepath.Join(dir, stdoutFile)) {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	err := os.Rename(filepath.Join(dir, logFile), filepath.Join(dir, oldLogFile))
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

	cmd := exec.Command(binary.Path)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.ExtraFiles = []*os.File{lock}
	if binary.SHA256 != "" {
		image, err := binary.verified()
		if err != nil {
			return nil, err
		}
		defer image.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, image)
		cmd.Path = "/proc/self/fd/4" // of the child: after stdio and the lock
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Env = append(transport.HandshakeEnv(),
		"PLUGIN_UNIX_SOCKET_DIR="+dir,
		plugin.EnvLogLevel+"="+logLevel,
	)
	for _, key := range keptEnv {
		if value, ok := os.LookupEnv(key); ok {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", binary.Path, err)
	}
	c := &child{pid: cmd.Process.Pid, exited: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.exited)
	}()
	return c, nil
}

// attach waits for the handshake line of the executor in dir, connects to it and
// takes hold of its process. A child that does not get that far is killed.
func attach(ctx context.Context, dir string, c *child) (_ *launched, err error) {
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
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", address)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	pid, err := peerPID(conn.(*net.UnixConn))
	if err != nil {
		return nil, err
	}
	if c != nil && pid != c.pid {
		return nil, fmt.Errorf("%s is served by process %d, not by the executor that was started (%d)", address, pid, c.pid)
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
	if filepath.Dir(parts[3]) != filepath.Clean(dir) {
		return "", fmt.Errorf("the executor's socket %.120q is not in its run directory %s", parts[3], dir)
	}
	return parts[3], nil
}

func peerPID(conn *net.UnixConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if credErr != nil {
		return 0, credErr
	}
	if int(cred.Uid) != os.Geteuid() && cred.Uid != 0 {
		return 0, fmt.Errorf("the process at the executor's socket runs as uid %d, which is neither root nor the host's own", cred.Uid)
	}
	return int(cred.Pid), nil
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
