package e2e

import (
	"encoding/json"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// busy is a workload of two processes, one of which computes.
const busy = "sleep 1000 & while :; do :; done"

// What containers use is measured on every backend, also by an executor that has adopted
// them.
func TestStats(t *testing.T) {
	s := pauseSite(t)
	ids := map[string]string{}
	for _, b := range pausers {
		ids[b] = s.must("run", "-d", "--name", b, "--backend", b, "--rootfs", rootfs, "-m", "64m", "--pids-limit", "20", "sh", "-c", busy)
	}
	for _, b := range pausers {
		if err := syscall.Kill(s.backend(b).PID, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		s.waitBackend(b)
	}
	var list []struct {
		ID, Name string
		PIDs     []int
		CPU      time.Duration
		Memory   uint64
		Limit    uint64  `json:"memory_limit"`
		Tasks    uint64  `json:"tasks"`
		Most     uint64  `json:"tasks_limit"`
		Percent  float64 `json:"cpu_percent"`
	}
	if err := json.Unmarshal([]byte(s.must("stats", "--no-stream", "--format", "json")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != len(pausers) {
		t.Errorf("got %d containers, want %d", len(list), len(pausers))
	}
	for _, u := range list {
		if u.ID != ids[u.Name] || len(u.PIDs) != 2 || u.CPU <= 0 || u.Percent <= 0 || u.Memory == 0 || u.Memory > u.Limit || u.Limit != 64<<20 || u.Tasks != 2 || u.Most != 20 {
			t.Errorf("%s: got %+v", u.Name, u)
		}
	}
	for _, b := range pausers {
		top := s.must("top", b)
		if lines := strings.Split(top, "\n"); len(lines) != 3 || !strings.Contains(top, "sleep 1000") || !strings.Contains(top, strconv.Itoa(s.inspect(ids[b]).PID)) {
			t.Errorf("%s: top prints\n%s", b, top)
		}
		s.must("rm", "-f", b)
		if r := s.run("top", b); r.code != 1 || !strings.Contains(r.stderr, "no container") {
			t.Errorf("%s: top of what is gone: %+v", b, r)
		}
	}
}

// A container that is restarted and renamed while its host is killed keeps its record.
func TestRestartAndRename(t *testing.T) {
	s := pauseSite(t)
	for _, b := range pausers {
		id := s.must("run", "-d", "--name", b, "--backend", b, "--rootfs", rootfs, "sh", "-c", counter)
		s.waitCounts(id)
		s.must("restart", "-t", "60", b)
		s.must("rename", b, b+"-new")
	}
	s.kill()
	s.start()
	for _, b := range pausers {
		s.waitBackend(b)
		c := s.inspect(b + "-new")
		if c.Attempt != 2 || c.State != "running" {
			t.Errorf("%s: got attempt %d, %s; want the second, running", b, c.Attempt, c.State)
		}
		s.wantEvents(c.ID, "container.exited", "container.renamed")
		s.must("rm", "-f", c.ID)
	}
}

// A container that was made and not started outlives its host.
func TestCreateThenStart(t *testing.T) {
	s := pauseSite(t)
	for _, b := range pausers {
		s.must("create", "--name", b, "--backend", b, "--rootfs", rootfs, "sh", "-c", "echo hello; exit 3")
	}
	s.kill()
	s.start()
	for _, b := range pausers {
		s.waitBackend(b)
		if line := s.must("ps", "-a", "-f", "name="+b); !strings.Contains(line, "created") {
			t.Errorf("%s: ps prints %s", b, line)
		}
		s.must("start", b)
		if got := s.must("wait", b); got != "3" {
			t.Errorf("%s: ended with %s, want 3", b, got)
		}
		if got := s.must("logs", b); got != "hello" {
			t.Errorf("%s: printed %q", b, got)
		}
		s.must("rm", b)
	}
}
