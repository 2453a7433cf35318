package health

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/rigs/wait"
	"golang.org/x/sys/unix"
)

// The test binary is also a server, which may be in a network namespace of its own.
func TestMain(m *testing.M) {
	if os.Getenv("HEALTH_TEST_SERVER") != "" {
		serve()
	}
	os.Exit(m.Run())
}

// serve serves until its input ends. It prints its address.
func serve() {
	if err := loopbackUp(); err != nil {
		panic(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "fine, %s", r.UserAgent()) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/bad", http.StatusFound) })
	mux.HandleFunc("/bad", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "out of order", http.StatusServiceUnavailable)
	})
	mux.HandleFunc("/hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write([]byte(strings.Repeat("\xff", 1000))); err != nil {
				return
			}
		}
	})
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		os.Exit(0)
	}()
	fmt.Println(l.Addr())
	panic(http.Serve(l, mux)) //nolint:gosec // it serves a test
}

// loopbackUp brings up the loopback of this network namespace.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req)
	}
	if err == nil && req.Uint16()&unix.IFF_UP == 0 {
		req.SetUint16(req.Uint16() | unix.IFF_UP)
		err = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
	}
	return err
}

// server starts a server, and returns its address there.
func server(t *testing.T, flags uintptr) (Process, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HEALTH_TEST_SERVER=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("a network namespace cannot be made: %v", err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return ProcessOf(cmd.Process.Pid), strings.TrimSpace(address)
}

// TestProbes probes a server that is in this network namespace, and one that is in another.
func TestProbes(t *testing.T) {
	before, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for name, flags := range map[string]uintptr{"here": 0, "elsewhere": syscall.CLONE_NEWNET} {
		t.Run(name, func(t *testing.T) {
			if flags != 0 && os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			p, address := server(t, flags)
			const long = time.Minute
			tcp := func(address string) (api.HealthResult, error) { return TCP(t.Context(), p, address, long) }
			get := func(path string, timeout time.Duration) (api.HealthResult, error) {
				return HTTP(t.Context(), p, "http://"+address+path, timeout)
			}
			for _, tt := range []struct {
				name   string
				probe  func() (api.HealthResult, error)
				code   int
				output string
			}{
				{"tcp", func() (api.HealthResult, error) { return tcp(address) }, 0, "connected to " + address},
				{"closed", func() (api.HealthResult, error) { return tcp("127.0.0.1:1") }, 1, "refused"},
				{"http", func() (api.HealthResult, error) { return get("/ok", long) }, 0, "200 OK\nfine, davit-health"},
				{"redirect", func() (api.HealthResult, error) { return get("/moved", long) }, 0, "302 Found"},
				{"error", func() (api.HealthResult, error) { return get("/bad", long) }, 1, "503 Service Unavailable\nout of order"},
				{"missing", func() (api.HealthResult, error) { return get("/missing", long) }, 1, "404 Not Found"},
				{"endless", func() (api.HealthResult, error) { return get("/endless", long) }, 0, "200 OK\n"},
				{"slow", func() (api.HealthResult, error) { return get("/hangs", 50*time.Millisecond) }, Aborted, "50ms"},
			} {
				r, err := tt.probe()
				if err != nil || r.ExitCode != tt.code || !strings.Contains(r.Output, tt.output) || r.End.Before(r.Start) || r.Start.IsZero() {
					t.Errorf("%s: got %d, %.200q, %v, want %d and %q", tt.name, r.ExitCode, r.Output, err, tt.code, tt.output)
				}
			}
		})
	}
	if after, _ := os.Readlink("/proc/self/ns/net"); after != before {
		t.Errorf("the process is now in %s, and was in %s", after, before)
	}
}

// A process that is gone has no namespace any more, whoever has its pid.
func TestProbeOfTheDead(t *testing.T) {
	here := ProcessOf(os.Getpid())
	for name, p := range map[string]Process{"none": {}, "another one": {here.PID, here.Start + 1}} {
		if _, err := TCP(t.Context(), p, "127.0.0.1:1", time.Minute); !errors.Is(err, ErrOver) {
			t.Errorf("%s: TCP: got %v", name, err)
		}
		if _, err := HTTP(t.Context(), p, "http://127.0.0.1:1/", time.Minute); !errors.Is(err, ErrOver) {
			t.Errorf("%s: HTTP: got %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := TCP(ctx, here, "127.0.0.1:1", time.Minute); !errors.Is(err, ErrUnknown) {
		t.Errorf("canceled: got %v", err)
	}
}

// TestKill kills a process with what it has started.
func TestKill(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 1000 & echo $!; wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var child int
	if _, err := fmt.Fscan(out, &child); err != nil {
		t.Fatal(err)
	}
	p := ProcessOf(cmd.Process.Pid)
	Process{p.PID, p.Start + 1}.Kill()
	Process{}.Kill()
	if ProcessOf(p.PID) != p {
		t.Fatal("another process was killed")
	}
	p.Kill()
	// Both have the output open.
	if _, err := out.Read(make([]byte, 1)); err == nil {
		t.Error("it writes on")
	}
	wait.Until(t, "its child has ended", func() bool { return ProcessOf(child).PID == 0 })
	p.Kill()
}

// TestKillOfMany kills processes that start others meanwhile: none is left.
func TestKillOfMany(t *testing.T) {
	const forks = "i=0; while [ $i -lt 2000 ]; do sleep 1000 & i=$((i+1)); done; wait"
	for range 5 {
		cmd := exec.Command("sh", "-c", "echo; sh -c '"+forks+"' & "+forks)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() })
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		ProcessOf(cmd.Process.Pid).Kill()
		// All of them have the output open.
		_ = out.(*os.File).SetReadDeadline(time.Now().Add(wait.Patience))
		if _, err := out.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("some are left: %v", err)
		}
	}
}
