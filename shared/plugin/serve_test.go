package plugin_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/plugin"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
)

// TestMain makes an executor of this process if a test has started it as one. It prints
// what it is asked to validate.
func TestMain(m *testing.M) {
	if os.Getenv(transport.Handshake().MagicCookieKey) == "" {
		os.Exit(m.Run())
	}
	plugin.Serve(executor.Executor{
		Name: "printer", Version: "1",
		Validate: func(s executor.Settings) []executor.Diagnostic {
			fmt.Printf("stdout %s\n", s.DefaultRuntime)
			fmt.Fprintf(os.Stderr, "stderr %s\n", s.DefaultRuntime)
			return nil
		},
		Open: func(context.Context, executor.Environment, executor.Host) (executor.Backend, error) {
			return nil, executor.Errorf(executor.Unsupported, "it only prints")
		},
	})
}

// What an executor prints is in its log, whichever hosts are connected, and nothing is
// after the handshake on its stdout.
func TestPrintedIsLogged(t *testing.T) {
	dir, err := os.MkdirTemp("", "dv") // short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(append(os.Environ(), transport.HandshakeEnv()...), "TMPDIR="+dir, "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	stdout := bufio.NewReader(out)
	handshake, err := stdout.ReadString('\n')
	fields := strings.Split(handshake, "|")
	if err != nil || len(fields) < 5 {
		t.Fatalf("handshake %q, %v", handshake, err)
	}

	const hosts = 8
	conns := make([]transport.Client, hosts)
	var all sync.WaitGroup
	for i := range hosts {
		begin := all.Go
		if i == 0 { // what it sets in motion, the others find done
			begin = func(f func()) { f() }
		}
		begin(func() {
			conn, err := connect(t.Context(), fields[3])
			if err != nil {
				t.Error(err)
				return
			}
			conns[i] = transport.Client{Conn: conn}
			t.Cleanup(func() { _ = conn.Close() })
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for i, c := range conns { // each takes over from the one before, and the first is gone at once
		if err := validate(t.Context(), c, fmt.Sprint("by host ", i)); err != nil {
			t.Error(err)
		}
		_ = c.Close()
	}

	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(stdout)
	if err := cmd.Wait(); err != nil || len(rest) > 0 {
		t.Errorf("the executor ended with %v, and printed %q", err, rest)
	}
	b, _ := os.ReadFile(log.Name())
	text := string(b)
	if strings.Contains(text, "DATA RACE") {
		t.Errorf("the log has a data race:\n%s", text)
	}
	for i := range hosts {
		for _, stream := range []string{"stdout", "stderr"} {
			if line := fmt.Sprintf("%s by host %d\n", stream, i); strings.Count(text, line) != 1 {
				t.Errorf("the log has no %q, or more than one:\n%s", line, text)
			}
		}
	}
}

// connect connects as a host.
func connect(ctx context.Context, socket string) (*transport.Conn, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	return transport.Connect(ctx, conn, func(*transport.Conn) transport.Handlers { return nil }, hclog.NewNullLogger())
}

// validate asks the executor to validate.
func validate(ctx context.Context, c transport.Client, runtime string) error {
	if _, err := c.Hello(ctx, transport.Hello{Protocol: transport.ProtocolVersion, Epoch: 1}); err != nil {
		return err
	}
	_, err := transport.MethodValidate.Call(ctx, c, executor.Settings{DefaultRuntime: runtime})
	return err
}
