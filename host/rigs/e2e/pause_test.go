package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/rigs/gobuild"
)

// counter writes without end, and leaves with 5 when it is asked to.
const counter = "trap 'exit 5' TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"

// pausers are the backends that offer pause, one of every such executor.
var pausers = []string{"bare", "daemon", "loose"}

func pauseSite(t *testing.T) *site {
	t.Helper()
	need(t, debian)
	return newSite(t, containerdBackend("daemon", debian, ""), "default_backend = \"bare\"\nbackend \"bare\" {\n  executor = \"shim\"\n}\n",
		"backend \"loose\" {\n  executor = \"process\"\n}\nbackend \"modules\" {\n  executor = \"wasm\"\n}\n")
}

// A paused container stands still, whatever becomes of host and executor, until it
// is unpaused; and a paused one is stopped and killed as others are.
func TestPause(t *testing.T) {
	s := pauseSite(t)
	ids := map[string]string{}
	for _, b := range pausers {
		id := s.must("run", "-d", "--backend", b, "--rootfs", rootfs, "sh", "-c", counter)
		ids[b] = id
		s.waitCounts(id)
		s.must("pause", id)
		s.must("pause", id) // changes nothing
		s.wantPaused(id)
	}
	for _, b := range pausers {
		if err := syscall.Kill(s.backend(b).PID, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	s.kill()
	s.start()
	for _, b := range pausers {
		id := ids[b]
		s.waitBackend(b)
		s.wantPaused(id)
		s.must("unpause", id)
		if st := s.inspect(id).State; st != "running" {
			t.Errorf("%s: the state is %s after unpause", b, st)
		}
		s.waitCounts(id)
		s.must("pause", id)
		s.must("stop", "-t", "60", id)
		if got := s.must("wait", id); got != "5" {
			t.Errorf("%s: stopped while paused, it ended with %s, want 5", b, got)
		}
		if r := s.run("pause", id); r.code == 0 || !strings.Contains(r.stderr, "is not running") {
			t.Errorf("%s: pause after the end: got %+v", b, r)
		}
		s.wantEvents(id, "container.paused", "container.resumed", "container.paused", "container.exited")
	}
}

// SIGKILL does not wait until a container is unpaused.
func TestKillWhilePaused(t *testing.T) {
	s := pauseSite(t)
	for _, b := range pausers {
		id := s.must("run", "-d", "--backend", b, "--rootfs", rootfs, "sh", "-c", counter)
		s.waitCounts(id)
		s.must("pause", id)
		s.must("kill", "-s", "KILL", id)
		if got := s.must("wait", id); got != "137" {
			t.Errorf("%s: got exit code %s, want 137", b, got)
		}
		if exit := s.inspect(id).Exit; exit == nil || exit.Signal != 9 || exit.Source != "observed" || exit.Output != "complete" {
			t.Errorf("%s: got %+v, want SIGKILL, observed, with complete output", b, exit)
		}
		s.must("rm", id)
	}
}

// A backend without the capability refuses by name, and says which ones have it.
func TestPauseIsRefusedByName(t *testing.T) {
	s := pauseSite(t)
	dir := t.TempDir()
	if err := gobuild.Wasm(filepath.Join(dir, "workload.wasm"), "./executors/wasm/testdata/workload"); err != nil {
		t.Fatal(err)
	}
	id := s.must("run", "-d", "--backend", "modules", "--rootfs", dir, "/workload.wasm", "await", "/go")
	for _, command := range []string{"pause", "unpause"} {
		const want = "backend modules (executor wasm) does not offer pause; these do: bare, daemon, loose"
		if r := s.run(command, id); r.code != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: got %+v, want %q", command, r, want)
		}
	}
	touch(t, filepath.Join(dir, "go"))
	if got := s.must("wait", id); got != "0" {
		t.Errorf("what was not paused ended with %s", got)
	}
	s.wantEvents(id, "container.exited")
}

// written returns how much a container's first process has ever written. Unlike its
// output it does not lag behind.
func (s *site) written(id string) string {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", s.inspect(id).PID))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "wchar:") {
			return line
		}
	}
	s.t.Fatalf("no wchar in %s", text)
	return ""
}

// waitCounts waits until a counter goes on.
func (s *site) waitCounts(id string) {
	s.t.Helper()
	before := s.written(id)
	s.waitFor("the container goes on", func() bool { return s.written(id) != before })
}

// wantPaused fails the test unless a counter is shown as paused, and stands still.
func (s *site) wantPaused(id string) {
	s.t.Helper()
	for line := range strings.Lines(s.must("ps")) {
		if strings.HasPrefix(line, id) && !strings.Contains(line, " paused ") {
			s.t.Errorf("ps shows %q", line)
		}
	}
	before := s.written(id)
	time.Sleep(200 * time.Millisecond)
	if after := s.written(id); after != before {
		s.t.Errorf("%s is paused and goes on: %s, then %s", id, before, after)
	}
	if st := s.inspect(id).State; st != "paused" {
		s.t.Errorf("the state of %s is %s, want paused", id, st)
	}
}

// wantEvents fails the test unless these are the events of a container after its
// start. Not counted is that it was resumed to end: its end may be known first.
func (s *site) wantEvents(id string, want ...string) {
	s.t.Helper()
	var got []string
	for line := range strings.Lines(s.must("events", "--format", "json")) {
		var e api.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			s.t.Fatalf("%v: %s", err, line)
		}
		if e.Container == id && e.Type != "container.created" && e.Type != "container.started" {
			if n := len(got); e.Type == "container.exited" && n > 0 && got[n-1] == "container.resumed" {
				got = got[:n-1]
			}
			got = append(got, e.Type)
		}
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("events of %s: got %q, want %q", id, got, want)
	}
}
