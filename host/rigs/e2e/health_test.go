package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
)

// health returns the health of a container.
func (s *site) health(id string) api.Health {
	s.t.Helper()
	var all []api.Container
	s.decode(&all, "inspect", id)
	if all[0].Health == nil {
		return api.Health{Status: api.HealthNone}
	}
	return *all[0].Health
}

func (s *site) waitHealth(id string, want api.HealthStatus) {
	s.t.Helper()
	s.waitFor(id+" is "+string(want), func() bool { return s.health(id).Status == want })
}

// sleepers returns the processes of a container that sleep for so long.
func (s *site) sleepers(id, seconds string) (pids []int) {
	s.t.Helper()
	for line := range strings.Lines(s.must("top", id)) {
		if f := strings.Fields(line); strings.HasSuffix(strings.TrimSpace(line), "sleep "+seconds) && !strings.Contains(line, "sh -c") {
			pid, _ := strconv.Atoi(f[0])
			pids = append(pids, pid)
		}
	}
	return pids
}

// A container is healthy while a file is there, as its command says. A host that is killed
// changes nothing of that.
func TestHealth(t *testing.T) {
	s := pauseSite(t)
	roots, ids := map[string]string{}, map[string]string{}
	for _, b := range pausers {
		roots[b] = ownRootfs(t)
		ids[b] = s.must("run", "-d", "--name", "c-"+b, "--backend", b, "--health-cmd", "echo looking; test -e /up", "--health-interval", "100ms", "--health-retries", "2", "--rootfs", roots[b], "sleep", "1000")
	}
	for _, b := range pausers {
		s.waitHealth(ids[b], api.HealthUnhealthy)
		touch(t, filepath.Join(roots[b], "up"))
		if out := s.must("wait", "--condition", "healthy", ids[b]); out != "" {
			t.Errorf("%s: wait printed %q", b, out)
		}
		h := s.health(ids[b])
		if last := h.Log[len(h.Log)-1]; h.Status != api.HealthHealthy || len(h.Log) > api.MaxHealthLog || last.ExitCode != 0 || last.Output != "looking\n" {
			t.Errorf("%s: got %+v", b, h)
		}
		if out := s.must("ps", "--format", "{{.Names}} {{.Status}}", "-f", "name=c-"+b, "-f", "health=healthy"); !strings.HasSuffix(out, "(healthy)") {
			t.Errorf("ps: got %q", out)
		}
	}
	s.kill()
	s.start()
	for _, b := range pausers {
		s.waitBackend(b)
		if h := s.health(ids[b]); h.Status != api.HealthHealthy {
			t.Errorf("%s: after the death of the host: got %+v", b, h)
		}
		if err := os.Remove(filepath.Join(roots[b], "up")); err != nil {
			t.Fatal(err)
		}
		s.waitHealth(ids[b], api.HealthUnhealthy)
		if got := s.must("ps", "-q", "-f", "health=unhealthy", "-f", "backend="+b); got != short(ids[b]) {
			t.Errorf("ps: got %q", got)
		}
		if c := s.inspect(ids[b]); c.State != "running" || c.Attempt != 1 {
			t.Errorf("%s: unhealthy, it is %+v", b, c)
		}
		s.wantEvents(ids[b], api.EventHealthStatus, api.EventHealthStatus, api.EventHealthStatus)
	}
	// What is paused is not probed.
	for _, b := range pausers {
		touch(t, filepath.Join(roots[b], "up"))
		s.must("wait", "--condition", "healthy", ids[b])
		s.must("pause", ids[b])
		before := s.health(ids[b])
		if err := os.Remove(filepath.Join(roots[b], "up")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		after := s.health(ids[b])
		if after.Status != api.HealthHealthy || after.Log[len(after.Log)-1] != before.Log[len(before.Log)-1] {
			t.Errorf("%s: paused, it went from %+v to %+v", b, before, after)
		}
		s.must("unpause", ids[b])
		s.waitHealth(ids[b], api.HealthUnhealthy)
	}
}

// Nothing is left of a command that takes too long, with what it has started, nor of one
// during which the host was killed.
func TestHealthCommandIsRemoved(t *testing.T) {
	s := pauseSite(t)
	ids := map[string]string{}
	for _, b := range pausers {
		ids[b] = s.must("run", "-d", "--backend", b, "--health-cmd", "echo began; sleep 777; echo $?", "--health-interval", "100ms", "--health-timeout", "1h", "--rootfs", rootfs, "sleep", "1000")
	}
	probes := map[string]int{}
	for _, b := range pausers {
		s.waitFor("it is probed", func() bool { return len(s.sleepers(ids[b], "777")) == 1 })
		probes[b] = s.sleepers(ids[b], "777")[0]
		if out := s.must("events", "--format", "json"); strings.Contains(out, `"exec.`) {
			t.Errorf("%s: probes have events of execs: %s", b, out)
		}
	}
	s.kill()
	s.start()
	for _, b := range pausers {
		s.waitBackend(b)
		s.waitFor("the next host has a probe of its own", func() bool {
			// Pids begin anew some time: their order does not tell which one is the new one.
			return slices.ContainsFunc(s.sleepers(ids[b], "777"), func(pid int) bool { return pid != probes[b] })
		})
		files, _ := filepath.Glob(filepath.Join(s.dir, "state/containers", ids[b], "1/exec/*"))
		if len(files) != 1 {
			t.Errorf("%s: got files of probes %q", b, files)
		}
		s.must("rm", "-f", ids[b])
	}
	for _, b := range pausers {
		id := s.must("run", "-d", "--backend", b, "--health-cmd", "echo began; sleep 778; echo $?", "--health-interval", "100ms", "--health-timeout", "300ms", "--health-retries", "2", "--rootfs", rootfs, "sleep", "1000")
		s.waitHealth(id, api.HealthUnhealthy)
		if h := s.health(id); !strings.Contains(h.Log[0].Output, "more than 300ms") || h.Log[0].ExitCode != -1 {
			t.Errorf("%s: got %+v", b, h)
		}
		s.waitFor("what took too long is gone", func() bool { return len(s.sleepers(id, "778")) <= 1 })
	}
}

// The host probes ports and pages in the network namespace of a container: two may have the
// same port.
func TestHealthTCPAndHTTP(t *testing.T) {
	s := pauseSite(t)
	roots := map[string]string{}
	const server = "busybox httpd -f -p 127.0.0.1:8080 -h /etc & P=$!; until [ -e /down ]; do sleep 0.1; done; kill $P; sleep 1000"
	run := func(b, kind, address string) string {
		roots[b+kind] = ownRootfs(t)
		return s.must("run", "-d", "--backend", b, "--health-"+kind, address, "--health-interval", "100ms", "--health-retries", "2", "--rootfs", roots[b+kind], "sh", "-c", server)
	}
	for _, b := range []string{"bare", "daemon"} {
		tcp, http, missing := run(b, "tcp", "8080"), run(b, "http", ":8080/passwd"), s.must("run", "-d", "--backend", b, "--health-http", "http://localhost:8080/missing", "--health-interval", "100ms", "--rootfs", rootfs, "busybox", "httpd", "-f", "-p", "8080", "-h", "/etc")
		for kind, id := range map[string]string{"tcp": tcp, "http": http} {
			s.must("wait", "--condition", "healthy", id)
			touch(t, filepath.Join(roots[b+kind], "down"))
			s.waitHealth(id, api.HealthUnhealthy)
			if h := s.health(id); h.Log[len(h.Log)-1].ExitCode != 1 || !strings.Contains(h.Log[len(h.Log)-1].Output, "refused") {
				t.Errorf("%s, %s: got %+v", b, kind, h)
			}
		}
		s.waitHealth(missing, api.HealthUnhealthy)
		s.waitFor("it answers that there is none", func() bool { h := s.health(missing); return strings.HasPrefix(h.Log[len(h.Log)-1].Output, "404") })
	}
	nc := s.must("run", "-d", "--health-tcp", "localhost:7", "--health-interval", "100ms", "--rootfs", rootfs, "sh", "-c", "while :; do busybox nc -l -p 7 </dev/null; done")
	s.must("wait", "--condition", "healthy", nc)
}

// An image says how it is checked, and flags override that.
func TestHealthOfAnImage(t *testing.T) {
	s := imageSite(t)
	s.must("load", "-i", busyboxImage(t, "app:1", 100))
	for _, b := range []string{"shim", "process"} {
		id := s.must("run", "-d", "--backend", b, "--health-interval", "100ms", "app:1", "sleep 1000")
		s.must("wait", "--condition", "healthy", id)
		if h := s.health(id); h.Log[0].Output != "hello\n" {
			t.Errorf("%s: got %+v", b, h)
		}
		none := s.must("run", "-d", "--backend", b, "--no-healthcheck", "app:1", "sleep 1000")
		if h := s.health(none); h.Status != api.HealthNone {
			t.Errorf("%s: without: got %+v", b, h)
		}
		if r := s.run("wait", "--condition", "healthy", none); r.code != 1 || !strings.Contains(r.stderr, "no health check") {
			t.Errorf("%s: a wait without: got %+v", b, r)
		}
	}
}

// A backend whose containers cannot be looked into refuses by name.
func TestHealthIsRefusedByName(t *testing.T) {
	s := pauseSite(t)
	for _, kind := range [][]string{{"--health-cmd", "true"}, {"--health-tcp", "80"}, {"--health-http", ":80/"}} {
		args := append([]string{"run", "-d", "--backend", "modules"}, append(kind, "--rootfs", rootfs, "/x.wasm")...)
		const want = "backend modules (executor wasm) does not offer exec; these do: bare, daemon, loose"
		if r := s.run(args...); r.code != 125 || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: got %+v, want %q", kind, r, want)
		}
	}
	if log, err := os.ReadFile(s.log.Name()); err != nil || bytes.Contains(log, []byte("panic")) {
		t.Error("the host panics", err)
	}
}
