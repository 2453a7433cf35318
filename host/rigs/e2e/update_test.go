package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
)

// limits returns what stats shows of a container's limits.
func (s *site) limits(name string) (memory, tasks uint64) {
	s.t.Helper()
	var list []struct {
		Memory uint64 `json:"memory_limit"`
		Tasks  uint64 `json:"tasks_limit"`
	}
	text := s.must("stats", "--no-stream", "--format", "json", name)
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list) != 1 {
		s.t.Fatalf("%v: %s", err, text)
	}
	return list[0].Memory, list[0].Tasks
}

// Limits change while a container runs, outlive its executor, and are those of the attempts
// after it. What is refused changes nothing.
func TestUpdate(t *testing.T) {
	s := pauseSite(t)
	for _, b := range pausers {
		s.must("run", "-d", "--name", b, "--backend", b, "--rootfs", rootfs, "-m", "64m", "--pids-limit", "20", "sleep", "1000")
		want := func(when string, memory, tasks uint64) {
			t.Helper()
			if m, n := s.limits(b); m != memory<<20 || n != tasks {
				t.Errorf("%s: %s: the limits are %d and %d, want %d MiB and %d", b, when, m, n, memory, tasks)
			}
		}
		pid := s.inspect(b).PID
		s.must("update", "-m", "128m", b)
		want("updated", 128, 20)
		s.must("update", "--pids-limit", "30", "--cpus", "0.5", b)
		s.must("update", "--pids-limit", "30", b)
		want("updated again", 128, 30)
		if got := s.inspect(b).PID; got != pid {
			t.Errorf("%s: the pid has become %d", b, got)
		}
		if err := syscall.Kill(s.backend(b).PID, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		s.waitBackend(b)
		want("with a new executor", 128, 30)
		for _, bad := range []struct{ flag, value, want string }{
			{"--memory", "1m", "too small"}, {"--cpuset-cpus", "4000", "the machine has"}, {"--restart", "sometimes", "unknown restart policy"}, {"--pids-limit", "9999999999", "not possible"},
		} {
			if r := s.run("update", bad.flag, bad.value, b); r.code != 1 || !strings.Contains(r.stderr, bad.want) {
				t.Errorf("%s: update %s %s: got %+v", b, bad.flag, bad.value, r)
			}
		}
		want("after what was refused", 128, 30)
		s.must("restart", "-t", "0", b)
		want("restarted", 128, 30)
		s.must("stop", "-t", "0", b)
		s.must("update", "-m", "96m", "--restart", "on-failure:3", b)
		if text := s.must("inspect", b); !strings.Contains(text, `"restart": "on-failure"`) {
			t.Errorf("%s: inspect prints %s", b, text)
		}
		s.must("start", b)
		want("updated while it did not run", 96, 30)
		s.wantEvents(s.inspect(b).ID, "container.updated", "container.updated", "container.updated", "container.exited", "container.exited", "container.updated")
	}
	if r := s.run("update", "bare"); r.code != 1 || !strings.Contains(r.stderr, "nothing is given to change") {
		t.Errorf("an update of nothing: got %+v", r)
	}
	if r := s.run("update", "--blkio-weight", "100", "loose"); r.code != 1 || !strings.Contains(r.stderr, "blockIO") {
		t.Errorf("what a plain process cannot have: got %+v", r)
	}
	if m, n := s.limits("loose"); m != 96<<20 || n != 30 {
		t.Errorf("after a refusal the limits are %d and %d", m, n)
	}
	s.must("restart", "-t", "0", "loose") // the refused limit is not in the spec
}

// An update that the host died in is carried out by the next one.
func TestUpdateWhileTheHostDies(t *testing.T) {
	s := pauseSite(t)
	id := s.must("run", "-d", "--backend", "bare", "--rootfs", rootfs, "-m", "64m", "sleep", "1000")
	executor := s.backend("bare").PID
	realtest.Stop(t, executor)
	cmd := s.command("update", "-m", "128m", id)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.waitFor("the wish is recorded", func() bool {
		text, _ := os.ReadFile(filepath.Join(s.dir, "state/containers", id, "record.json"))
		return strings.Contains(string(text), `"updating":true`)
	})
	s.kill()
	if err := cmd.Wait(); err == nil {
		t.Error("the update was said to be done")
	}
	if err := syscall.Kill(executor, syscall.SIGCONT); err != nil {
		t.Error(err)
	}
	s.start()
	s.waitFor("the limit is set", func() bool {
		m, _ := s.limits(id)
		return m == 128<<20
	})
}
