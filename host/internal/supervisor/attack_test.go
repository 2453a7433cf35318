package supervisor

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/wait"
	"golang.org/x/sys/unix"
)

// installSelf returns a copy of the test's program that a test may spoil.
func installSelf(t *testing.T) (path string, digest [sha256.Size]byte) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	binary, _ := install(t, string(text))
	return binary.Path, sha256.Sum256(text)
}

func TestSwappedBinaryAfterStart(t *testing.T) {
	path, digest := installSelf(t)
	config := testConfig(t, runDir(t), "")
	config.Find = func() (Binary, error) { return Binary{Path: path, SHA256: fmt.Sprintf("%x", digest)}, nil }
	var err error
	if config.Programs, err = OpenPrograms(filepath.Join(filepath.Dir(path), "programs")); err != nil {
		t.Fatal(err)
	}
	b := started(config)
	defer b.Close()
	pid := b.waitPID(t)
	write(t, path, evil)

	// What the process is made of, and what it would start again, stays the same.
	exe := fmt.Sprintf("/proc/%d/exe", pid)
	name, err := os.Readlink(exe)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{exe, name} {
		text, err := os.ReadFile(path)
		if err != nil || sha256.Sum256(text) != digest {
			t.Errorf("%s is another program now (%v)", path, err)
		}
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.waitError(t, "the config wants")
	if info := b.Info(); info.Starts != 1 {
		t.Errorf("got %d starts, want the evil one never started", info.Starts)
	}
}

// waitError waits for an error that contains want.
func (b *Backend) waitError(t *testing.T, want string) {
	t.Helper()
	got := func() bool {
		last := b.Info().LastError
		return last != "" && strings.Contains(last, want)
	}
	if !wait.Holds(got) {
		t.Fatalf("got %+v, want an error with %q", b.Info(), want)
	}
}

func TestWorldWritableDirectory(t *testing.T) {
	path, _ := installSelf(t)
	dir := filepath.Dir(path)
	if _, err := Find([]string{dir}, "x"); err != nil {
		t.Errorf("a good directory: %v", err)
	}
	for _, mode := range []os.FileMode{0o777, 0o777 | os.ModeSticky} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Find([]string{dir}, "x"); err == nil || !strings.Contains(err.Error(), dir+" can be written by everybody; chmod o-w it") {
			t.Errorf("mode %v: got %v", mode, err)
		}
	}
	// One link in the way is enough.
	link := filepath.Join(t.TempDir(), "l")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Find([]string{link}, "x"); err == nil || !strings.Contains(err.Error(), dir+" can be written by everybody") {
		t.Errorf("through a link: got %v", err)
	}
}

// squat leaves, as anybody could who knew the files, a process that holds the lock
// and a handshake that leads to a socket of another process.
func squat(t *testing.T, dir string) (holder, stranger *exec.Cmd) {
	t.Helper()
	if err := errors.Join(makeDirs(dir, self()), os.MkdirAll(filepath.Join(dir, socketDir), 0o700)); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(filepath.Join(dir, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	start := func(cmd *exec.Cmd) *exec.Cmd {
		t.Helper()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { end(cmd) })
		return cmd
	}
	holder = exec.Command("sleep", "60")
	holder.ExtraFiles = []*os.File{lock}
	start(holder)
	listener, err := net.Listen("unix", filepath.Join(dir, socketDir, "plugin1"))
	if err != nil {
		t.Fatal(err)
	}
	stranger = exec.Command("/proc/self/exe")
	stranger.Env = append(os.Environ(), listenEnv+"="+listener.Addr().String())
	listener.Close()
	start(stranger)
	wait.Until(t, "the stranger listens", func() bool {
		conn, err := net.Dial("unix", listener.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	if err := os.WriteFile(filepath.Join(dir, stdoutFile), fmt.Appendf(nil, "1|1|unix|%s|netrpc|\n", listener.Addr()), 0o600); err != nil {
		t.Fatal(err)
	}
	return holder, stranger
}

// listenEnv makes the test's program listen at a socket until somebody sends it
// something, and exit with code 9 then.
const listenEnv = "DAVIT_TEST_LISTEN"

func listen(path string) {
	l, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			panic(err)
		}
		if n, _ := conn.Read(make([]byte, 1)); n > 0 {
			os.Exit(9)
		}
		conn.Close()
	}
}

func TestForeignProcessListens(t *testing.T) {
	dir := runDir(t)
	holder, stranger := squat(t, dir)
	b := started(testConfig(t, dir, ""))
	defer b.Stop(t.Context())
	b.waitError(t, "does not hold the backend's lock")
	if got := b.waitPID(t); got == stranger.Process.Pid || got == holder.Process.Pid {
		t.Errorf("the stranger %d serves the backend", got)
	}
	if err := holder.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("who held the lock: got %v, want it killed", err)
	}
	// The stranger must live on, and must have been sent nothing.
	if err := stranger.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := stranger.Wait(); err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("the stranger: got %v", err)
	}
}

func TestForeignUserListens(t *testing.T) {
	dir := runDir(t)
	_, stranger := squat(t, dir)
	_, err := connect(t.Context(), testConfig(t, dir, ""), User{UID: os.Geteuid() + 1, GID: os.Getegid()}, nil)
	want := fmt.Sprintf("process %d of uid %d, and the executor is to run as uid %d", stranger.Process.Pid, os.Geteuid(), os.Geteuid()+1)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestForeignProcessConnects(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const executorUser, stranger = 4321, 4322
	for name, user := range map[string]User{"host's own user": self(), "another user": {executorUser, executorUser}} {
		t.Run(name, func(t *testing.T) {
			config := userConfig(t, user)
			b := started(config)
			defer b.Stop(t.Context())
			b.waitPID(t)
			sockets, _ := filepath.Glob(filepath.Join(config.RunDir, socketDir, "*"))
			if len(sockets) != 1 {
				t.Fatalf("got sockets %v", sockets)
			}
			if err := connectAs(0, sockets[0]); err != nil {
				t.Errorf("the host itself: %v", err)
			}
			// The executor's own user is the one of its workloads, maybe.
			for _, uid := range []int{executorUser, stranger} {
				if err := connectAs(uid, sockets[0]); !errors.Is(err, syscall.EACCES) {
					t.Errorf("uid %d: got %v, want permission denied", uid, err)
				}
			}
		})
	}
}

// connectAs connects to a socket as a user without privileges.
func connectAs(uid int, path string) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := syscall.Setfsuid(uid); err != nil {
			result <- err
			return
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
			_ = unix.Close(fd)
		}
		result <- err
	}()
	return <-result
}

// userConfig is a config whose executor runs as a user, from a place that it can
// reach.
func userConfig(t *testing.T, user User) Config {
	t.Helper()
	config := testConfig(t, runDir(t), "")
	path, _ := installSelf(t)
	var err error
	if config.Programs, err = OpenPrograms(filepath.Join(filepath.Dir(path), "programs")); err != nil {
		t.Fatal(err)
	}
	config.User = func() (User, error) { return user, nil }
	return config
}

func TestExecutorOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	user := User{4321, 4322}
	for _, inMemory := range []bool{false, true} {
		config := userConfig(t, user)
		if inMemory {
			config.Programs = nil
		}
		first := started(config)
		pid := first.waitPID(t)
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Uid:\t4321\t4321\t4321\t4321\n", "Gid:\t4322\t4322\t4322\t4322\n", "Groups:\t \n", "CapEff:\t0000000000000000\n"} {
			if !strings.Contains(string(status), want) {
				t.Errorf("got %s, want %q", status, want)
			}
		}
		first.Close()
		second := started(config)
		if got := second.waitPID(t); got != pid || second.Info().Attaches != 1 {
			t.Errorf("second host: got %+v, want process %d taken up", second.Info(), pid)
		}
		if err := second.Restart(t.Context()); err != nil {
			t.Error(err)
		}
		second.Close()
		// A change of the user takes effect.
		config.User = nil
		third := started(config)
		third.waitError(t, "is to run as uid 0")
		if got := third.waitPID(t); got == pid {
			t.Errorf("process %d goes on", pid)
		}
		if err := third.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// allowed are the variables that an executor may see.
var allowed = append([]string{"DAVIT_EXECUTOR", "DAVIT_LOG_LEVEL", "PLUGIN_UNIX_SOCKET_DIR", "PLUGIN_PROTOCOL_VERSIONS"}, keptEnv...)

func TestEnvironmentLeak(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	write(t, secret, "hunter2")
	t.Setenv("SECRET_TOKEN", "hunter2")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	fd, err := syscall.Open(secret, syscall.O_RDONLY, 0) // inherited by children
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	for name, programs := range map[string]*Programs{"memory": nil, "copy": func() *Programs { _, p := install(t, ""); return p }()} {
		config := testConfig(t, runDir(t), "")
		config.Programs = programs
		b := started(config)
		proc := fmt.Sprintf("/proc/%d/", b.waitPID(t))
		environ, err := os.ReadFile(proc + "environ")
		if err != nil || len(environ) == 0 {
			t.Fatalf("got %q, %v", environ, err)
		}
		for variable := range strings.SplitSeq(strings.TrimRight(string(environ), "\x00"), "\x00") {
			if key, _, _ := strings.Cut(variable, "="); !slices.Contains(allowed, key) {
				t.Errorf("%s: the executor sees %s", name, variable)
			}
		}
		fds, err := os.ReadDir(proc + "fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			switch target, _ := os.Readlink(proc + "fd/" + fd.Name()); {
			case target == "/dev/null", strings.HasPrefix(target, config.RunDir), strings.HasPrefix(target, "/memfd:"):
			case strings.HasPrefix(target, "socket:"), strings.HasPrefix(target, "pipe:"), strings.HasPrefix(target, "anon_inode:"): // made by itself, since all of ours are closed
			case strings.HasPrefix(target, "/sys/fs/cgroup/"), target == "": // the Go runtime's
			default:
				t.Errorf("%s: the executor has %s open", name, target)
			}
		}
		if err := b.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestExecutorIsApart(t *testing.T) {
	config := testConfig(t, runDir(t), "")
	b := started(config)
	defer b.Stop(t.Context())
	pid := b.waitPID(t)
	if sid, err := unix.Getsid(pid); err != nil || sid != pid {
		t.Errorf("got session %d, %v; want one of its own", sid, err)
	}
	// What it prints after the handshake goes to its log.
	for fd, want := range []string{os.DevNull, filepath.Join(config.RunDir, logFile), filepath.Join(config.RunDir, logFile)} {
		if got, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd)); got != want {
			t.Errorf("descriptor %d: got %s, %v; want %s", fd, got, err, want)
		}
	}
	for _, dir := range []string{"", socketDir, WorkDir} {
		if info, err := os.Stat(filepath.Join(config.RunDir, dir)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: got %v, %v; want mode 0700", dir, info.Mode(), err)
		}
	}
}

// A directory that somebody was first to make is not used.
func TestForeignRunDirectory(t *testing.T) {
	dir := runDir(t)
	for _, name := range []string{WorkDir, socketDir} {
		if err := os.Symlink(t.TempDir(), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		b := started(testConfig(t, dir, ""))
		b.waitError(t, "not a directory")
		b.Close()
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLookUpUser(t *testing.T) {
	for text, want := range map[string]User{"0": {0, 0}, "root": {0, 0}, "root:7": {0, 7}, "123456:654321": {123456, 654321}, "123456:root": {123456, 0}} {
		if got, err := LookUpUser(text); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{"nobody-here": "useradd", "root:nobody-here": "groupadd", "123456": "write 123456:GID", "-1:0": "useradd", "4294967296:0": "useradd"} {
		if got, err := LookUpUser(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v; want an error with %q", text, got, err, want)
		}
	}
}
