package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/disktest"
)

// on mounts a small disk on a directory of a site, while its host is down.
func (s *site) on(dir string, size int64) *disktest.Disk {
	s.t.Helper()
	s.stop()
	disk, err := disktest.Mount(filepath.Join(s.dir, dir), size)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if s.serve == nil {
			s.start()
		}
		for _, c := range s.containers() {
			s.run("rm", "-f", c.ID)
		}
		s.stop()
		if err := disk.Unmount(); err != nil {
			s.t.Error(err)
		}
		s.startAll()
	})
	s.startAll()
	return disk
}

// startAll starts the host and waits for its backends.
func (s *site) startAll() {
	s.t.Helper()
	s.start()
	for _, b := range s.backends() {
		s.waitBackend(b.Name)
	}
}

// thorough reports whether tests with disks are to take their time, which
// DAVIT_FULL_DISK_ROUNDS says: `make disks` sets it.
func thorough(t testing.TB) bool { return roundsOf(t, "DAVIT_FULL_DISK_ROUNDS", 0) > 0 }

// shims has a site with the executor that needs no daemon, or, if tests are to be
// thorough, with every shim on every daemon.
func shims(t *testing.T) (*site, map[string][]string) {
	if !thorough(t) {
		need(t)
		return newSite(t, "default_backend = \"bare\"", "backend \"bare\" {\n  executor = \"shim\"\n}\n"), map[string][]string{"bare": {"runc", "io.containerd.runc.v1"}}
	}
	need(t, debian, newest)
	s := newSite(t, "default_backend = \"debian\"",
		containerdBackend("debian", debian, wrapped(t)), containerdBackend("newest", newest, wrapped(t)),
		"backend \"bare\" {\n  executor = \"shim\"\n"+wrapped(t)+"}\n")
	return s, map[string][]string{"debian": served["debian"], "newest": served["newest"], "bare": {"runc", "io.containerd.runc.v1", "wrapped"}}
}

// The output of a workload that prints without end is bounded while there is neither a
// host nor an executor, and what was dropped is counted when there are again.
func TestOutputIsBoundedWithoutAHost(t *testing.T) {
	need(t)
	s := newSite(t, "default_backend = \"bare\"", "backend \"bare\" {\n  executor = \"shim\"\n}\n", "backend \"process\" {\n  executor = \"process\"\n}\n")
	const limit = 4 << 20
	disk := s.on("state/containers", 512<<20)
	s.kill()
	config, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.config, append(config, "output {\n  max_size = \"4MiB\"\n}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	s.startAll()
	var ids []string
	for _, backend := range []string{"bare", "process"} {
		ids = append(ids, s.must("run", "-d", "--backend", backend, "--rootfs", rootfs,
			"sh", "-c", "i=0; while [ $i -lt 20 ]; do head -c 1048576 /bin/busybox; echo; i=$((i+1)); sleep 0.05; done; echo end; sleep 600"))
	}
	var executors []int
	for _, b := range s.backends() {
		executors = append(executors, b.PID)
	}
	s.kill()
	for _, pid := range executors {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		path := filepath.Join(s.dir, "state/containers", id, "1/stdout")
		s.waitFor("all is written and most of it dropped", func() bool {
			var st syscall.Stat_t
			return syscall.Stat(path, &st) == nil && st.Size == 20*(1<<20+1)+4 && st.Blocks*512 <= limit+limit/8
		})
	}
	if used, err := disk.Used(); err != nil || used > int64(len(ids))*2*limit+1<<20 {
		t.Errorf("%d bytes are used, %v", used, err)
	}
	s.startAll()
	for _, id := range ids {
		out := s.inspect(id).Output["stdout"]
		if out.Written != 20*(1<<20+1)+4 || out.Dropped < out.Written-2*limit || out.Lost.Gaps != 0 {
			t.Errorf("got %+v, want no more than %d bytes kept and none lost", out, 2*limit)
		}
		if got := s.must("logs", "-n", "1", id); got != "end" {
			t.Errorf("got last line %q", got)
		}
	}
}

// A shim whose log disk is full stops copying for good. The workload does not notice.
func TestFullLogDisk(t *testing.T) {
	s, backends := shims(t)
	rootfs := ownRootfs(t)
	disk := s.on("state/containers", 8<<20)
	// Each writes 1 MiB while the disk is full, and then says so where it can be
	// seen; and then goes on, slowly.
	const script = "while [ ! -e /tmp/%[1]s.go ]; do sleep 0.1; done; i=0; while [ $i -lt 1024 ]; do echo %01000[2]d; i=$((i+1)); done; touch /tmp/%[1]s.done; while [ ! -e /tmp/%[1]s.end ]; do echo after; sleep 0.1; done; exit 5"
	ids := map[string]string{}
	for backend, runtimes := range backends {
		for _, runtime := range runtimes {
			name := backend + "." + runtime
			id := s.must("run", "-d", "--name", name, "--backend", backend, "--runtime", runtime, "--rootfs", rootfs,
				"sh", "-c", fmt.Sprintf(script, name, 0))
			ids[name] = id
		}
	}
	if err := disk.Fill(); err != nil {
		t.Fatal(err)
	}
	for name := range ids {
		touch(t, rootfs+"/tmp/"+name+".go")
	}
	for name := range ids {
		s.waitFor(name+" has written what finds no room", func() bool { return exists(rootfs + "/tmp/" + name + ".done") })
	}
	if err := disk.Free(); err != nil {
		t.Fatal(err)
	}
	for name, id := range ids {
		s.waitFor("output of "+name+" is kept again", func() bool {
			return strings.HasSuffix(s.must("logs", id), "\nafter")
		})
		s.waitFor("the loss of "+name+" is shown", func() bool {
			return strings.Contains(s.must("ps"), "output incomplete")
		})
		touch(t, rootfs+"/tmp/"+name+".end")
		if got := s.must("wait", id); got != "5" {
			t.Errorf("%s: got exit code %s, want 5", name, got)
		}
		c := s.inspect(id)
		lost := c.OutputLost["stdout"]
		if c.Exit.Output != "truncated" || lost.Gaps < 1 || lost.Bytes > 1<<20+1024 || lost.Bytes < 800<<10 {
			t.Errorf("%s: got output %s, lost %+v, want it truncated, and about 1 MiB", name, c.Exit.Output, lost)
		}
		if n := strings.Count(s.must("events"), "output.stalled"); n < 1 {
			t.Errorf("%s: %d events of stalled output", name, n)
		}
	}
}
