package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestKilledExecutorCostsItsBackendAlone(t *testing.T) {
	s := bothDaemons(t)
	id := s.must("run", "-d", "--rootfs", rootfs, "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do echo $i; sleep 0.2; done; exit 9")
	before := s.backend("debian")
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if r := s.runRootfs("--rm", "--backend", "newest", "true"); r.code != 0 {
		t.Errorf("the other backend: got %+v", r)
	}
	if got := s.must("wait", id); got != "9" {
		t.Errorf("got exit code %s, want 9", got)
	}
	if got := s.must("logs", id); got != "1\n2\n3\n4\n5\n6\n7\n8\n9" {
		t.Errorf("got %q", got)
	}
	after := s.backend("debian")
	if after.PID == before.PID || after.Starts != 2 {
		t.Errorf("got %+v, want a second process", after)
	}
	if r := s.runRootfs("--rm", "true"); r.code != 0 {
		t.Errorf("afterwards: got %+v", r)
	}
}

func TestKilledHostLosesNothing(t *testing.T) {
	s := bothDaemons(t)
	exits := map[string]string{}
	for _, backend := range []string{"debian", "newest"} {
		for _, runtime := range served[backend] {
			id := s.must("run", "-d", "--rootfs", rootfs, "--backend", backend, "--runtime", runtime, "sh", "-c", "for i in 1 2 3 4; do echo $i; sleep 0.3; done; exit 6")
			exits[id] = "6"
		}
	}
	pids := map[string]int{}
	for _, b := range s.backends() {
		pids[b.Name] = b.PID
	}
	s.kill()
	time.Sleep(1500 * time.Millisecond) // some end meanwhile
	s.start()
	for _, b := range s.backends() {
		s.waitBackend(b.Name)
		if now := s.backend(b.Name); now.PID != pids[b.Name] || now.Starts != 0 {
			t.Errorf("backend %s: got %+v, want process %d taken up", b.Name, now, pids[b.Name])
		}
	}
	for id, want := range exits {
		if got := s.must("wait", id); got != want {
			t.Errorf("container %s (%s): got exit code %s, want %s", id, s.inspect(id).Runtime, got, want)
		}
		if got := s.must("logs", id); got != "1\n2\n3\n4" {
			t.Errorf("container %s: got output %q", id, got)
		}
	}
}

// The same command on a daemon and without one: nothing but a name differs.
func TestExecutorsAreSwapped(t *testing.T) {
	need(t, debian)
	s := newSite(t, "default_backend = \"daemon\"", containerdBackend("daemon", debian, wrapped(t)),
		"backend \"bare\" {\n  executor = \"shim\"\n"+wrapped(t)+"}\n")
	for _, backend := range []string{"daemon", "bare"} {
		for _, runtime := range []string{"runc", "io.containerd.runc.v2", "io.containerd.runc.v1", "wrapped"} {
			if r := s.runRootfs("--rm", "--backend", backend, "--runtime", runtime, "sh", "-c", "echo hello; echo oops >&2; exit 3"); r.code != 3 || r.stdout != "hello\n" || r.stderr != "oops\n" {
				t.Errorf("%s, %s: got %+v", backend, runtime, r)
			}
		}
	}
	// The bare backend survives what kills it, too.
	id := s.must("run", "-d", "--backend", "bare", "--rootfs", rootfs, "sh", "-c", "for i in 1 2 3 4 5; do echo $i; sleep 0.3; done; exit 4")
	if err := syscall.Kill(s.backend("bare").PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.kill()
	s.start()
	if got := s.must("wait", id); got != "4" {
		t.Errorf("got exit code %s, want 4", got)
	}
	if got := s.must("logs", id); got != "1\n2\n3\n4\n5" {
		t.Errorf("got %q", got)
	}
}

// A container and its containerd are killed at once, and so is the host: the policy
// starts it again all the same.
func TestRestartPolicySurvivesContainerd(t *testing.T) {
	s := oneBackend(t)
	id := s.must("run", "-d", "--restart", "always", "--rootfs", rootfs, "sleep", "600")
	for attempt := 2; attempt < 4; attempt++ {
		for _, pid := range []int{s.daemon("main"), s.inspect(id).PID} {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		if attempt == 3 {
			s.kill()
			s.start()
		}
		s.waitFor("it is started again", func() bool {
			c := s.inspect(id)
			return c.State == "running" && c.Attempt == attempt
		})
	}
}

// daemon returns the process of a backend's own containerd.
func (s *site) daemon(backend string) int {
	s.t.Helper()
	config := filepath.Join(s.dir, "run/backends", backend, "x/containerd.toml")
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range procs {
		if line, _ := os.ReadFile(p); bytes.Contains(line, []byte("--config\x00"+config)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(p)))
			return pid
		}
	}
	s.t.Fatalf("backend %s has no containerd", backend)
	return 0
}

func TestBackendRestart(t *testing.T) {
	s := oneBackend(t)
	id := s.must("run", "-d", "--rootfs", rootfs, "sh", "-c", "for i in 1 2 3 4 5; do echo $i; sleep 0.3; done; exit 8")
	before := s.backend("main").PID
	s.must("backend", "restart", "main")
	if after := s.backend("main"); after.PID == before || after.State != "ready" {
		t.Errorf("got %+v, want another process than %d", after, before)
	}
	if got := s.must("wait", id); got != "8" {
		t.Errorf("got exit code %s, want 8", got)
	}
	if got := s.must("logs", id); got != "1\n2\n3\n4\n5" {
		t.Errorf("got %q", got)
	}
}

func TestBrokenBackendHarmsNoOther(t *testing.T) {
	need(t, debian)
	s := newSite(t, "default_backend = \"main\"", containerdBackend("main", debian, ""))
	s.stop()
	// From here on there is a backend that cannot work.
	s.addBackend("backend \"broken\" {\n  executor = \"absent\"\n}\nbackend \"cut-off\" {\n  executor = \"containerd\"\n  config {\n    address = \"/nonexistent/containerd.sock\"\n    connect_timeout = \"100ms\"\n  }\n}\n")
	s.start()
	s.waitBackend("main")
	if r := s.runRootfs("--rm", "true"); r.code != 0 {
		t.Errorf("main: got %+v", r)
	}
	for backend, want := range map[string]string{"broken": "davit-executor-absent", "cut-off": "/nonexistent/containerd.sock"} {
		r := s.runRootfs("--rm", "--backend", backend, "true")
		if r.code != 125 || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: got %+v, want 125 and %q", backend, r, want)
		}
	}
}
