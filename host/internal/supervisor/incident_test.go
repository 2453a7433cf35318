package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
)

// misbehave serves as no executor should.
func misbehave(mode string) {
	logger := hclog.NewNullLogger()
	switch mode {
	case "hung-hello", "wrong-hello":
		goplugin.Serve(&goplugin.ServeConfig{
			HandshakeConfig: transport.Handshake(), Logger: logger,
			Plugins: transport.PluginSet(logger, func(*transport.Conn) transport.Handlers {
				return transport.Handlers{transport.MethodHello.Name: func(ctx context.Context, _ []byte) (any, error) {
					if mode == "hung-hello" {
						<-ctx.Done()
					}
					return []any{"hello", 42}, nil
				}}
			}),
		})
		os.Exit(0)
	}
	l, err := net.Listen("unix", filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "plugin1"))
	if err != nil {
		panic(err)
	}
	fmt.Printf("1|1|unix|%s|netrpc|\n", l.Addr())
	for {
		conn, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			switch mode {
			case "garbage-socket":
				junk := make([]byte, 4096)
				for i := range junk {
					junk[i] = byte(rand.Int())
				}
				_, _ = conn.Write(junk)
			case "endless-socket":
				for err = nil; err == nil; {
					_, err = conn.Write(make([]byte, 64<<10))
				}
			}
			_, _ = io.Copy(io.Discard, conn)
		}()
	}
}

// waitEnded waits until a process has ended, or is a zombie.
func waitEnded(t *testing.T, pid int) {
	t.Helper()
	p, err := linux.OpenProcess(pid, nil)
	if err != nil {
		return
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if p.Wait(ctx) != nil {
		t.Fatalf("process %d runs on", pid)
	}
}

// Each of these executors costs its own backend alone: the host abandons it, kills
// it, says why, and another backend does not notice.
func TestMisbehavingExecutorCostsItsBackendAlone(t *testing.T) {
	other := started(testConfig(t, runDir(t), ""))
	defer other.Stop(t.Context())
	neighbour := servedBy(t, session(t, other))
	for mode, tt := range map[string]struct {
		launch time.Duration
		want   string
	}{
		"hung-hello":     {2 * time.Second, "no answer within 2s"},
		"mute-socket":    {2 * time.Second, "no answer within 2s"},
		"silent":         {2 * time.Second, "no answer within 2s"},
		"wrong-hello":    {20 * time.Second, "hello: the executor's reply makes no sense"},
		"garbage-socket": {20 * time.Second, "connecting to the executor"},
		"endless-socket": {20 * time.Second, "connecting to the executor"},
	} {
		t.Run(mode, func(t *testing.T) {
			config := testConfig(t, runDir(t), mode)
			config.Timing.Launch = tt.launch
			pids := make(chan int, 1000)
			config.Changed = func(i Info) {
				if i.PID != 0 {
					select {
					case pids <- i.PID:
					default:
					}
				}
			}
			b := started(config)
			b.waitError(t, tt.want)
			if got := servedBy(t, session(t, other)); got != neighbour {
				t.Errorf("the other backend is served by process %s, was by %s", got, neighbour)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := b.Session(ctx); !errors.Is(err, executor.Unavailable) {
				t.Errorf("its own callers: got %v, want unavailable", err)
			}
			if err := b.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			for len(pids) > 0 {
				waitEnded(t, <-pids)
			}
		})
	}
	if info := other.Info(); info.Starts != 1 || info.Failures != 0 {
		t.Errorf("the other backend: got %+v", info)
	}
}

func TestExecutorStoppedInACall(t *testing.T) {
	config := testConfig(t, runDir(t), "hung-call")
	config.Timing = Timing{HealthInterval: 100 * time.Millisecond, HealthTimeout: 500 * time.Millisecond}
	b := started(config)
	defer b.Stop(t.Context())
	s := session(t, b)
	pid := b.Info().PID
	called := make(chan error, 1)
	go func() {
		_, err := s.List(t.Context())
		called <- err
	}()
	realtest.Stop(t, pid)
	if err := <-called; !errors.Is(err, executor.OutcomeUnknown) && !errors.Is(err, executor.Unavailable) {
		t.Errorf("the call that was under way: got %v", err)
	}
	b.waitStarts(t, 2)
	waitEnded(t, pid)
}

// A call that hangs is its caller's matter: the executor answers others.
func TestHungCallDelaysNoOther(t *testing.T) {
	b := started(testConfig(t, runDir(t), "hung-call"))
	defer b.Stop(t.Context())
	s := session(t, b)
	pid := b.Info().PID
	ctx, cancel := context.WithCancel(t.Context())
	called := make(chan error, 1)
	go func() {
		_, err := s.List(ctx)
		called <- err
	}()
	for range 3 {
		if _, err := s.Restore(t.Context(), executor.Ref{ID: "a", Attempt: 1}, executor.Stdio{}); err != nil {
			t.Error(err)
		}
	}
	cancel()
	if err := <-called; !errors.Is(err, context.Canceled) {
		t.Errorf("the hung call: got %v", err)
	}
	if got := b.Info().PID; got != pid {
		t.Errorf("process %d was replaced by %d", pid, got)
	}
}

func TestExecutorThatQuitsInACall(t *testing.T) {
	b := started(testConfig(t, runDir(t), "quits"))
	defer b.Stop(t.Context())
	for starts := 1; starts <= 3; starts++ {
		s := session(t, b)
		if _, err := s.List(t.Context()); !errors.Is(err, executor.OutcomeUnknown) {
			t.Errorf("got %v, want outcome unknown", err)
		}
		b.waitStarts(t, starts+1)
	}
	if got := b.Info().Attaches; got != 0 {
		t.Errorf("got %d attaches", got)
	}
}

func (b *Backend) waitStarts(t *testing.T, want int) {
	t.Helper()
	if !wait.Holds(func() bool { return b.Info().Starts >= want && b.Info().State == Ready }) {
		t.Fatalf("got %+v, want %d starts", b.Info(), want)
	}
}

// An executor that gets ready and ends at once is no better than one that never
// gets ready.
func TestFlappingExecutorOpensTheBreaker(t *testing.T) {
	opened := make(chan struct{})
	config := testConfig(t, runDir(t), "quits")
	config.Ready = func(ctx context.Context, s *Session) error {
		go func() { _, _ = s.List(context.WithoutCancel(ctx)) }()
		return nil
	}
	config.Changed = func(i Info) {
		if i.State == Failed && i.Failures == breakerFailures {
			close(opened)
		}
	}
	b := started(config)
	defer b.Stop(t.Context())
	select {
	case <-opened:
	case <-time.After(time.Minute):
		t.Fatalf("the breaker never opened: %+v", b.Info())
	}
}

// A process that was started in vain, or was there and could not be talked to, is
// gone before the next one is started.
func TestNeverTwoExecutorsOfOneBackend(t *testing.T) {
	dir := runDir(t)
	config := testConfig(t, dir, "")
	config.Timing = Timing{Launch: 5 * time.Second}
	watch, stop := make(chan struct{}), make(chan struct{})
	most := 0
	go func() {
		defer close(watch)
		for {
			select {
			case <-stop:
				return
			default:
				most = max(most, len(holders(dir)))
			}
		}
	}()
	for i, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGTERM, 0} {
		b := started(config)
		pid := b.waitPID(t)
		if i%2 == 0 {
			b.Close()
		}
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
		b.Close() // maybe in the middle of something
	}
	b := started(config)
	b.waitPID(t)
	if err := b.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	close(stop)
	<-watch
	if most != 1 {
		t.Errorf("there were %d executors at a time, want 1", most)
	}
}

// holders returns the executors on a run directory.
func holders(dir string) (pids []string) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		environ, err := os.ReadFile("/proc/" + e.Name() + "/environ")
		if err == nil && strings.Contains(string(environ), "PLUGIN_UNIX_SOCKET_DIR="+dir+"/") {
			pids = append(pids, e.Name())
		}
	}
	return pids
}
