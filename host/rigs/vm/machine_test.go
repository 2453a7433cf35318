package vm

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience bounds whatever takes a moment.
const patience = 3 * time.Minute

// sh runs a script of bash and returns what it prints. It ends the test if the script fails.
func sh(t *testing.T, script string) string {
	t.Helper()
	out, err := try(t, script)
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return out
}

// try runs a script of bash that may fail.
func try(t *testing.T, script string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.WaitDelay = time.Second // containers that run on have its pipes
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// until waits until a script prints what is wanted.
func until(t *testing.T, script, want string) {
	t.Helper()
	got := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if got, _ = try(t, script); got == want {
			return
		}
	}
	t.Fatalf("%s: got %q after %s, want %q", script, got, patience, want)
}

func want(t *testing.T, script, want string) {
	t.Helper()
	if got := sh(t, script); got != want {
		t.Errorf("%s: got %q, want %q", script, got, want)
	}
}

// hostPID returns the pid of the unit's host.
func hostPID(t *testing.T) int {
	t.Helper()
	pid, err := strconv.Atoi(sh(t, "systemctl show -P MainPID davit"))
	if err != nil || pid == 0 {
		t.Fatalf("the unit has no process (%v)", err)
	}
	return pid
}

// write writes a file of the machine.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A soul is a container that runs on whatever is done, until SIGTERM: then its exit code is
// 40 and its number. Its shell may wait for a child.
type soul struct {
	name string
	code int
	pid  int
}

// souls starts as many containers.
func souls(t *testing.T, prefix string, n int) (all []*soul) {
	t.Helper()
	for i := range n {
		s := &soul{name: fmt.Sprint(prefix, i), code: 40 + i}
		sh(t, fmt.Sprintf(`davit run -d --name %s --rootfs /srv/busybox sh -c 'trap "exit %d" TERM; while :; do sleep 0.1; done'`, s.name, s.code))
		s.pid = pidOf(t, s.name)
		all = append(all, s)
	}
	return all
}

// lives checks that a container runs on, in the same process, and that the host knows it.
func (s *soul) lives(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", s.pid)); err != nil {
		t.Errorf("%s died: %v", s.name, err)
	}
	var list []struct {
		PID   int
		State string
	}
	if err := json.Unmarshal([]byte(sh(t, "davit inspect "+s.name)), &list); err != nil || len(list) != 1 {
		t.Fatalf("inspect %s: %v", s.name, err)
	}
	if c := list[0]; c.PID != s.pid || c.State != "running" {
		t.Errorf("%s is %s with pid %d, want running with pid %d", s.name, c.State, c.PID, s.pid)
	}
}

// dies sends SIGTERM to the process of a container, without the host.
func (s *soul) dies(t *testing.T) {
	t.Helper()
	sh(t, fmt.Sprint("kill ", s.pid))
	until(t, fmt.Sprintf("test -e /proc/%d || echo gone", s.pid), "gone")
}

// ended checks the exit code of a container that has ended, and removes it.
func (s *soul) ended(t *testing.T) {
	t.Helper()
	exitOf(t, s.name).check(t, s.code, false)
	sh(t, "davit rm "+s.name)
}
