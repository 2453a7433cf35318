package supervisor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/davit-run/davit/shared/plugin"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
)

// The test binary is its own executor: the supervisor starts it in the backend's
// run directory, where a file says how it shall behave.
func TestMain(m *testing.M) {
	if path := os.Getenv(listenEnv); path != "" {
		listen(path)
	}
	if path := os.Getenv(askEnv); path != "" {
		askForever(path)
	}
	if os.Getenv(transport.Handshake().MagicCookieKey) == "" {
		// Programs that were built with -race sleep for a second when they exit.
		os.Setenv("GORACE", "atexit_sleep_ms=0")
		os.Exit(m.Run())
	}
	mode, _ := os.ReadFile("mode")
	switch string(mode) {
	case "exits":
		fmt.Fprintln(os.Stderr, "cannot find my configuration")
		os.Exit(3)
	case "silent":
		time.Sleep(time.Minute)
	case "chatty":
		fmt.Println("Hello! I am not a plugin.")
		time.Sleep(time.Minute)
	case "endless-stdout":
		for {
			fmt.Print(strings.Repeat("not a handshake", 1<<16))
		}
	case "huge-stdout":
		if err := os.Truncate("/proc/self/fd/1", 1<<40); err != nil {
			panic(err)
		}
		time.Sleep(time.Minute)
	case "old":
		fmt.Println("1|99|unix|" + os.Getenv("PLUGIN_UNIX_SOCKET_DIR") + "/plugin1|netrpc|")
		time.Sleep(time.Minute)
	case "elsewhere":
		fmt.Println("1|1|unix|/run/containerd/containerd.sock|netrpc|")
		time.Sleep(time.Minute)
	case "hung-hello", "wrong-hello", "garbage-socket", "endless-socket", "mute-socket":
		misbehave(string(mode))
	case "garbage":
		fmt.Fprintf(os.Stderr, "{\"@message\":1}\n\x00\xff{{{\n%s\n", strings.Repeat("x", 200<<10))
	}
	plugin.Serve(executor.Executor{Name: "test", Version: "1", Open: func(ctx context.Context, env executor.Environment, _ executor.Host) (executor.Backend, error) {
		if string(mode) == "slow" {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if string(mode) == "unopenable" {
			return nil, executor.Errorf(executor.Unavailable, "the daemon is not there")
		}
		return backend{}, nil
	}})
}

type backend struct{}

func (backend) Create(_ context.Context, w executor.Workload) (executor.Status, error) {
	return executor.Status{Ref: w.Ref, State: executor.Running}, nil
}
func (backend) Restore(_ context.Context, r executor.Ref, _ executor.Stdio) (executor.Status, error) {
	return executor.Status{Ref: r, State: executor.Running}, nil
}
func (backend) List(ctx context.Context) ([]executor.Status, error) {
	switch mode, _ := os.ReadFile("mode"); string(mode) {
	case "quits":
		os.Exit(4)
	case "hung-call":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return []executor.Status{{Ref: executor.Ref{ID: fmt.Sprint(os.Getpid()), Attempt: 1}, State: executor.Running}}, nil
}
func (backend) Signal(context.Context, executor.Ref, executor.Signal) error { return nil }
func (backend) Delete(context.Context, executor.Ref) error                  { return nil }

type nobody struct{}

func (nobody) Exited(context.Context, executor.Status) error                 { return nil }
func (nobody) Released(context.Context, executor.Ref, executor.Output) error { return nil }

func testConfig(t *testing.T, dir, mode string) Config {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "mode"), []byte(mode), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Name: "b", RunDir: dir, Host: nobody{}, Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: io.Discard}),
		Hello: transport.Hello{Protocol: transport.ProtocolVersion, Epoch: 1},
		Find:  func() (Binary, error) { return Binary{Path: self}, nil },
		Environment: func(context.Context, transport.Client, executor.Description) (executor.Environment, error) {
			return executor.Environment{Backend: "b", StateDir: filepath.Join(dir, WorkDir)}, nil
		},
	}
}

func runDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := killHolders(dir); err != nil {
			t.Error(err)
		}
		if !wait.Holds(func() bool { return os.RemoveAll(dir) == nil }) {
			t.Errorf("%s cannot be removed", dir)
		}
	})
	return dir
}

func session(t *testing.T, b *Backend) *Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s, err := b.Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// servedBy asks the executor itself who it is.
func servedBy(t *testing.T, s *Session) string {
	t.Helper()
	all, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all[0].Ref.ID
}

func TestExecutorOutlivesTheHost(t *testing.T) {
	config := testConfig(t, runDir(t), "")
	first := started(config)
	pid := servedBy(t, session(t, first))
	first.Close()
	second := started(config)
	defer second.Stop(t.Context())
	if got := servedBy(t, session(t, second)); got != pid {
		t.Errorf("second host is served by process %s, want the one that ran: %s", got, pid)
	}
	if info := second.Info(); info.Starts != 0 || info.Attaches != 1 || fmt.Sprint(info.PID) != pid {
		t.Errorf("got %d starts, %d attaches, pid %d; want 0, 1, %s", info.Starts, info.Attaches, info.PID, pid)
	}
}

func TestStopEndsTheExecutor(t *testing.T) {
	config := testConfig(t, runDir(t), "")
	b := started(config)
	pid := b.waitPID(t)
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d: got %v, want it gone", pid, err)
	}
	if info := b.Info(); info.State != Stopped || info.PID != 0 {
		t.Errorf("got %+v", info)
	}
	if _, err := b.Session(t.Context()); !errors.Is(err, executor.Unavailable) {
		t.Errorf("session of a stopped backend: got %v, want unavailable", err)
	}
}

func TestStopWhileStarting(t *testing.T) {
	config := testConfig(t, runDir(t), "slow")
	config.Timing.Open = time.Second
	b := started(config)
	wait.Until(t, "the executor is started", func() bool { return b.Info().PID != 0 })
	pid := b.Info().PID
	if err := b.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d: got %v, want it gone", pid, err)
	}
}

func (b *Backend) waitPID(t *testing.T) int {
	t.Helper()
	session(t, b)
	return b.Info().PID
}

func TestKilledExecutorIsReplaced(t *testing.T) {
	b := started(testConfig(t, runDir(t), ""))
	defer b.Stop(t.Context())
	for range 3 {
		old := session(t, b)
		pid := b.Info().PID
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-old.Done()
		if _, err := old.List(t.Context()); !errors.Is(err, executor.Unavailable) && !errors.Is(err, executor.OutcomeUnknown) {
			t.Errorf("call to a dead executor: got %v", err)
		}
		b.waitReplaced(t, pid)
	}
	if info := b.Info(); info.Starts != 4 || info.Attaches != 0 {
		t.Errorf("got %d starts and %d attaches, want 4 and 0", info.Starts, info.Attaches)
	}
}

func TestRestart(t *testing.T) {
	b := started(testConfig(t, runDir(t), ""))
	defer b.Stop(t.Context())
	pid := b.waitPID(t)
	if err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	info := b.Info()
	if info.PID == pid || info.State != Ready || info.Starts != 2 || info.Failures != 0 || info.LastError != "" {
		t.Errorf("got %+v, want a second process and no failure", info)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d: got %v, want it gone", pid, err)
	}
}

func TestStoppedExecutorIsReplaced(t *testing.T) {
	config := testConfig(t, runDir(t), "")
	config.Timing = Timing{HealthInterval: 100 * time.Millisecond, HealthTimeout: 500 * time.Millisecond}
	b := started(config)
	defer b.Stop(t.Context())
	pid := b.waitPID(t)
	realtest.Stop(t, pid)
	b.waitReplaced(t, pid)
}

// waitReplaced waits until an executor is ready that is not the one of a pid.
func (b *Backend) waitReplaced(t *testing.T, pid int) {
	t.Helper()
	wait.Until(t, "the executor is replaced", func() bool { return b.Info().PID != pid && b.Info().State == Ready })
}

func TestHungExecutorOfAnEarlierHostIsReplaced(t *testing.T) {
	config := testConfig(t, runDir(t), "")
	config.Timing = Timing{Launch: 2 * time.Second}
	first := started(config)
	pid := first.waitPID(t)
	first.Close()
	realtest.Stop(t, pid)
	second := started(config)
	defer second.Stop(t.Context())
	if got := second.waitPID(t); got == pid {
		t.Errorf("still served by process %d", pid)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d: got %v, want it gone: there would be two on one backend", pid, err)
	}
}

func TestChangedSettingsRestartTheExecutor(t *testing.T) {
	config := testConfig(t, runDir(t), "")
	first := started(config)
	pid := first.waitPID(t)
	first.Close()
	config.Environment = func(context.Context, transport.Client, executor.Description) (executor.Environment, error) {
		return executor.Environment{Backend: "b", StateDir: filepath.Join(config.RunDir, WorkDir), Settings: executor.Settings{DefaultRuntime: "other"}}, nil
	}
	second := started(config)
	defer second.Stop(t.Context())
	if got := second.waitPID(t); got == pid {
		t.Errorf("process %d goes on with the old settings", pid)
	}
}

func TestBadExecutors(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := linux.WriteProgram(script, []byte("no shebang, no ELF"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, mode, binary, want string }{
		{name: "exits at once", mode: "exits", want: "cannot find my configuration"},
		{name: "says how it exited", mode: "exits", want: "exit status 3"},
		{name: "silent", mode: "silent", want: "did not get ready in time"},
		{name: "not a plugin", mode: "chatty", want: "does not speak go-plugin's handshake"},
		{name: "other protocol version", mode: "old", want: "upgrade davit, or install an older release of the executor"},
		{name: "socket elsewhere", mode: "elsewhere", want: "not in its run directory"},
		{name: "backend cannot be opened", mode: "unopenable", want: "the daemon is not there"},
		{name: "not a program", binary: script, want: "exec format error"},
		{name: "another program", binary: "/bin/true", want: "ended before it was ready"},
		{name: "no such file", binary: "/nonexistent/x", want: "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := testConfig(t, runDir(t), tt.mode)
			if tt.mode == "silent" {
				config.Timing.Launch = 2 * time.Second
			}
			if tt.binary != "" {
				config.Find = func() (Binary, error) { return Binary{Path: tt.binary}, nil }
			}
			b := started(config)
			defer b.Close()
			b.waitError(t, "")
			if got := b.Info().LastError; !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want it to say %q", got, tt.want)
			}
		})
	}
}

func TestDigest(t *testing.T) {
	config := testConfig(t, runDir(t), "")
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	found, _ := config.Find()
	found.SHA256 = fmt.Sprintf("%X", sha256.Sum256(self))
	config.Find = func() (Binary, error) { return found, nil }
	b := started(config)
	pid := b.waitPID(t)
	if exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); !strings.Contains(exe, "memfd:") {
		t.Errorf("runs %s, want the verified copy", exe)
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	found.SHA256 = strings.Repeat("0", 64)
	b = started(config)
	defer b.Close()
	b.waitError(t, "")
	if info := b.Info(); !strings.Contains(info.LastError, "the config wants 000") || info.Starts != 0 {
		t.Errorf("wrong digest: got %+v", info)
	}
}

func TestGarbageInTheLogIsHarmless(t *testing.T) {
	b := started(testConfig(t, runDir(t), "garbage"))
	session(t, b)
	if err := b.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRunDirTooLongForASocket(t *testing.T) {
	dir := filepath.Join(runDir(t), strings.Repeat("x", 100))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b := started(testConfig(t, dir, ""))
	defer b.Close()
	b.waitError(t, "")
	t.Log(b.Info().LastError)
}

// saidErrors keeps the errors that are logged.
type saidErrors struct {
	hclog.Logger
	mu  sync.Mutex
	all []string
}

func (l *saidErrors) Log(level hclog.Level, msg string, args ...any) {
	if level == hclog.Error {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.all = append(l.all, fmt.Sprint(append([]any{msg}, args...)...))
	}
}

func (l *saidErrors) texts() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

func TestBreaker(t *testing.T) {
	config := testConfig(t, runDir(t), "exits")
	said := &saidErrors{Logger: config.Logger}
	config.Logger = said
	b := started(config)
	defer b.Close()
	wait.Until(t, "the breaker is open", func() bool { return b.Info().State == Failed })
	if n := len(said.texts()); n != 1 {
		t.Errorf("the log has %d errors, want one for what goes on: %q", n, said.texts())
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	asked := time.Now()
	if _, err := b.Session(ctx); !errors.Is(err, executor.Unavailable) || time.Since(asked) > 5*time.Second {
		t.Errorf("got %v after %s, want unavailable at once", err, time.Since(asked))
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, Prefix+name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("good", 0o755)
	write("plain", 0o644)
	write("open", 0o757)
	if err := os.Mkdir(filepath.Join(dir, Prefix+"dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"good": "", "plain": "not executable", "open": "written by everybody", "dir": "not a regular file",
		"absent": "installed are: ", "": "not a file name", "../x": "not a file name", "a\x00b": "not a file name",
	} {
		_, err := Find([]string{"/nonexistent", dir}, name)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", name, err, want)
		}
	}
	if _, err := exec.LookPath("true"); err != nil {
		t.Skip(err)
	}
	if _, err := Find([]string{dir}, "true"); !errors.Is(err, executor.NotFound) {
		t.Errorf("a program on PATH: got %v, want not found", err)
	}
}

// started begins to supervise a backend.
func started(config Config) *Backend {
	b := New(config)
	b.Start()
	return b
}
