package e2e

import (
	"crypto/md5"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
)

// served are the runtimes that each daemon serves, and a runtime of its own.
var served = map[string][]string{
	"debian": {"runc", "io.containerd.runc.v2", "io.containerd.runc.v1", "io.containerd.runtime.v1.linux", "wrapped"},
	"newest": {"runc", "io.containerd.runc.v2", "io.containerd.runc.v1", "wrapped"},
}

// wrapped is a custom runtime: an OCI binary by path, with arguments.
func wrapped(t testing.TB) string {
	t.Helper()
	runc, err := exec.LookPath("runc")
	if err != nil {
		t.Skip(err)
	}
	return fmt.Sprintf("  runtime \"wrapped\" {\n    path = %q\n    args = [\"--debug\"]\n  }\n", runc)
}

func bothDaemons(t testing.TB) *site {
	t.Helper()
	need(t, debian, newest)
	return newSite(t, "default_backend = \"debian\"",
		containerdBackend("debian", debian, wrapped(t)), containerdBackend("newest", newest, wrapped(t)))
}

// TestEveryRuntimeOnEveryDaemon runs what ends in each way. A quick run takes each generation
// of shims once, and a runtime of the user's own; `make matrix` takes all there are.
func TestEveryRuntimeOnEveryDaemon(t *testing.T) {
	s := bothDaemons(t)
	runtimes := map[string][]string{
		"debian": {"io.containerd.runtime.v1.linux", "wrapped"},
		"newest": {"runc", "io.containerd.runc.v1"},
	}
	if realtest.Matrix() {
		runtimes = served
	}
	for _, backend := range []string{"debian", "newest"} {
		for _, runtime := range runtimes[backend] {
			t.Run(backend+"/"+runtime, func(t *testing.T) {
				on := []string{"--rm", "--backend", backend, "--runtime", runtime}
				with := func(args ...string) []string { return append(append([]string{}, on...), args...) }
				if r := s.runRootfs(with("sh", "-c", "echo out; echo err >&2; exit 7")...); r.code != 7 || r.stdout != "out\n" || r.stderr != "err\n" {
					t.Errorf("got %+v, want out, err and 7", r)
				}
				sleeper := s.must(append([]string{"run", "-d", "--rootfs", rootfs}, append(on[1:], "sleep", "60")...)...)
				s.must("kill", "-s", "KILL", sleeper)
				s.must("wait", sleeper)
				if exit := s.inspect(sleeper).Exit; exit == nil || exit.Code == nil || *exit.Code != 137 || exit.Signal != 9 || exit.OOM == nil || *exit.OOM {
					t.Errorf("death by SIGKILL: got %+v, want code 137 and signal 9", exit)
				}
				s.must("rm", sleeper)
				if r := s.runRootfs(with("/nope")...); r.code != 127 {
					t.Errorf("missing command: got code %d (%s), want 127", r.code, r.stderr)
				}
				if r := s.runRootfs(with("/etc/passwd")...); r.code != 126 {
					t.Errorf("command that is not executable: got code %d (%s), want 126", r.code, r.stderr)
				}
				oom := []string{"--backend", backend, "--runtime", runtime, "--memory", "16m", "sh", "-c", "x=x; while :; do x=$x$x; done"}
				if r := s.runRootfs(oom...); r.code == 0 || r.code == 125 {
					t.Errorf("out of memory: got code %d (%s)", r.code, r.stderr)
				}
				all := s.containers()
				last := all[len(all)-1]
				if last.Exit == nil || last.Exit.OOM == nil || !*last.Exit.OOM {
					t.Errorf("out of memory: got %+v, want oom", last.Exit)
				}
				s.must("rm", last.ID)
			})
		}
	}
	// What a daemon does not serve is refused before anything is made.
	r := s.runRootfs("--backend", "newest", "--runtime", "io.containerd.runtime.v1.linux", "true")
	if r.code != 125 || !strings.Contains(r.stderr, "io.containerd.runc.v2") {
		t.Errorf("v1.linux on containerd 2: got %d %q, want 125 and what to use instead", r.code, r.stderr)
	}
	if all := s.containers(); len(all) != 0 {
		t.Errorf("left behind: %+v", all)
	}
}

func TestProcessesAreApart(t *testing.T) {
	s := bothDaemons(t)
	id := s.must("run", "-d", "--rootfs", rootfs, "sleep", "60")
	c := s.inspect(id)
	executor := s.backend("debian").PID
	shim := parent(t, c.PID)
	if exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", shim)); !strings.Contains(exe, "containerd-shim") {
		t.Errorf("the container's parent %d is %q, want a shim", shim, exe)
	}
	if exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", executor)); !strings.Contains(exe, "davit-executor-containerd") {
		t.Errorf("process %d is %q, want the executor", executor, exe)
	}
	if s.backend("newest").PID == executor {
		t.Error("both backends have one executor process")
	}
	s.must("stop", "-t", "1", id)
	s.waitFor("the shim is gone", func() bool { return syscall.Kill(shim, 0) != nil })
}

func parent(t testing.TB, pid int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var ppid int
		if n, _ := fmt.Sscanf(line, "PPid:\t%d", &ppid); n == 1 {
			return ppid
		}
	}
	t.Fatalf("process %d has no parent", pid)
	return 0
}

func oneBackend(t testing.TB) *site {
	t.Helper()
	need(t, debian)
	return newSite(t, containerdBackend("main", debian, ""))
}

func TestRunOptions(t *testing.T) {
	s := oneBackend(t)
	volume := t.TempDir()
	if err := os.WriteFile(filepath.Join(volume, "f"), []byte("from outside\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"env", []string{"-e", "A=b c", "sh", "-c", "echo $A"}, "b c\n"},
		{"cwd", []string{"-w", "/tmp", "pwd"}, "/tmp\n"},
		{"user by number", []string{"-u", "5:6", "sh", "-c", "id -u; id -g"}, "5\n6\n"},
		{"user by name", []string{"-u", "web", "sh", "-c", "id -u; id -g"}, "33\n44\n"},
		{"hostname", []string{"--hostname", "abc", "hostname"}, "abc\n"},
		{"volume", []string{"-v", volume + ":/v:ro", "sh", "-c", "cat /v/f; touch /v/g 2>/dev/null || echo refused"}, "from outside\nrefused\n"},
		{"mount", []string{"--mount", "type=bind,source=" + volume + ",target=/v", "sh", "-c", "touch /v/made; ls /v"}, "f\nmade\n"},
		{"read-only", []string{"--read-only", "sh", "-c", "touch /x 2>/dev/null || echo refused"}, "refused\n"},
		{"arguments as they are", []string{"echo", "-n", "--rm", "a  b", "$HOME"}, "--rm a  b $HOME"},
		{"pids limit", []string{"--pids-limit", "20", "cat", "/sys/fs/cgroup/pids/pids.max"}, "20\n"},
		{"memory limit", []string{"-m", "32m", "cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}, "33554432\n"},
		{"cpus", []string{"--cpus", "0.5", "cat", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"}, "50000\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if strings.Contains(strings.Join(tt.args, " "), "/sys/fs/cgroup/") {
				if _, err := os.Stat("/sys/fs/cgroup/memory"); err != nil {
					t.Skip("the paths are those of cgroup v1")
				}
			}
			r := s.runRootfs(append([]string{"--rm"}, tt.args...)...)
			if r.code != 0 || r.stdout != tt.want {
				t.Errorf("got %+v, want %q", r, tt.want)
			}
		})
	}
}

func TestBundle(t *testing.T) {
	s := oneBackend(t)
	bundle := t.TempDir()
	if out, err := exec.Command("runc", "spec", "--bundle", bundle).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if err := exec.Command("cp", "-a", rootfs, filepath.Join(bundle, "rootfs")).Run(); err != nil {
		t.Fatal(err)
	}
	r := s.run("run", "--rm", "--bundle", bundle, "sh", "-c", "echo hello; exit 4")
	if r.code != 4 || r.stdout != "hello\n" {
		t.Errorf("got %+v", r)
	}
}

func TestOutputIsWhole(t *testing.T) {
	s := oneBackend(t)
	const lines = 500_000
	want := md5.New()
	for i := 1; i <= lines; i++ {
		fmt.Fprintf(want, "%d\n", i)
	}
	r := s.runRootfs("--name", "big", "seq", fmt.Sprint(lines))
	if got := md5.Sum([]byte(r.stdout)); string(got[:]) != string(want.Sum(nil)) {
		t.Errorf("run: got %d bytes that differ", len(r.stdout))
	}
	if logged := s.run("logs", "big"); logged.stdout != r.stdout {
		t.Errorf("logs: got %d bytes, want the %d that run printed", len(logged.stdout), len(r.stdout))
	}
	if got := s.must("logs", "--tail", "2", "big"); got != fmt.Sprintf("%d\n%d", lines-1, lines) {
		t.Errorf("logs --tail 2: got %q", got)
	}
	c := s.inspect("big")
	if c.Exit == nil || c.Exit.Output != "complete" {
		t.Errorf("got %+v, want complete output", c.Exit)
	}
}

func TestLogsFollow(t *testing.T) {
	s := oneBackend(t)
	id := s.must("run", "-d", "--rootfs", rootfs, "sh", "-c", "echo one; sleep 1; echo two")
	if r := s.run("logs", "-f", id); r.stdout != "one\ntwo\n" {
		t.Errorf("got %+v", r)
	}
	if got := s.must("wait", id); got != "0" {
		t.Errorf("wait: got %q", got)
	}
}

func TestSignalsAreForwarded(t *testing.T) {
	s := oneBackend(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := s.command("run", "--rm", "--rootfs", rootfs, "sh", "-c", "trap 'exit 42' INT TERM; echo ready; while :; do sleep 0.1; done")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 6)
		if _, err := out.Read(buf); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != 42 {
			t.Errorf("%v: got exit code %d, want 42", sig, got)
		}
	}
}

func TestStopAndKill(t *testing.T) {
	s := oneBackend(t)
	run := func(script string) string { return s.must("run", "-d", "--rootfs", rootfs, "sh", "-c", script) }
	polite := run("trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done")
	stubborn := run("trap '' TERM; echo ready; while :; do sleep 0.1; done")
	killed := run("sleep 60")
	for _, id := range []string{polite, stubborn} {
		s.waitFor("the trap is set", func() bool { return s.must("logs", id) == "ready" })
	}
	s.must("stop", polite)
	s.must("stop", "-t", "1", stubborn)
	s.must("kill", "-s", "KILL", killed) // pid 1 of a namespace ignores most others
	for id, want := range map[string]string{polite: "5", stubborn: "137", killed: "137"} {
		if got := s.must("wait", id); got != want {
			t.Errorf("got exit code %s, want %s", got, want)
		}
	}
}
