package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// roundsOf returns how often a test repeats what it does, from a variable.
func roundsOf(t testing.TB, variable string, standard int) int {
	t.Helper()
	if os.Getenv(variable) == "" {
		return standard
	}
	n, err := strconv.Atoi(os.Getenv(variable))
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// The log disk fills while the host is down, and while the executors are, too.
// DAVIT_FULL_DISK_ROUNDS says how often; see also TestFullLogDisk.
func TestLogDiskFillsWhileTheHostIsDown(t *testing.T) {
	s, backends := shims(t)
	rootfs := ownRootfs(t)
	disk := s.on("state/containers", 8<<20)
	for round := range roundsOf(t, "DAVIT_FULL_DISK_ROUNDS", 2) {
		how := []string{"host", "host and executors", "host, until after it is back"}[round%3]
		goFile, doneGlob := filepath.Join(rootfs, "tmp/go"), filepath.Join(rootfs, "tmp/done.*")
		ids := map[string]string{} // by backend
		for backend, runtimes := range backends {
			script := fmt.Sprintf("i=0; while [ $i -lt 300 ]; do echo before $i; i=$((i+1)); done; while [ ! -e /tmp/go ]; do sleep 0.05; done; while [ $i -lt 2000 ]; do echo $i %0500d; i=$((i+1)); done; touch /tmp/done.%s; echo end; exit 9", 0, backend)
			ids[backend] = s.must("run", "-d", "--backend", backend, "--runtime", runtimes[round/3%len(runtimes)], "--rootfs", rootfs, "sh", "-c", script)
		}
		pids := map[string]int{}
		for backend, id := range ids {
			s.waitFor("there is output", func() bool { return strings.HasSuffix(s.must("logs", id), "before 299") })
			pids[backend] = s.inspect(id).PID
		}
		executors := s.backends()
		s.kill()
		if err := disk.Fill(); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(how, "executors") {
			for _, b := range executors {
				_ = syscall.Kill(b.PID, syscall.SIGKILL)
			}
		}
		touch(t, goFile)
		written := func() bool { found, _ := filepath.Glob(doneGlob); return len(found) == len(ids) }
		if strings.HasSuffix(how, "executors") {
			for backend, pid := range pids {
				if backend == "bare" && backends[backend][round/3%len(backends[backend])] != "io.containerd.runc.v1" {
					s.waitFor("the executor's own shim goes on by itself", func() bool { return exists(filepath.Join(rootfs, "tmp/done.bare")) })
					continue
				}
				s.waitFor("the workload of "+backend+" waits for its shim", func() bool {
					where, _ := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", pid))
					return strings.Contains(string(where), "pipe_write")
				})
			}
		} else {
			s.waitFor("the workloads have written all without a host", written)
		}
		if !strings.HasSuffix(how, "back") {
			if err := disk.Free(); err != nil {
				t.Fatal(err)
			}
		}
		s.startAll()
		for backend, id := range ids {
			what := fmt.Sprintf("round %d (%s), %s", round, how, backend)
			if got := s.must("wait", id); got != "9" {
				t.Errorf("%s: got exit code %s, want 9", what, got)
			}
			c := s.inspect(id)
			checkGaps(t, what, s.must("logs", id), c.OutputLost["stdout"].Gaps, c.OutputLost["stdout"].Bytes)
			if c.Exit.Output != "truncated" {
				t.Errorf("%s: output is called %s", what, c.Exit.Output)
			}
			s.must("rm", id)
		}
		if err := disk.Free(); err != nil {
			t.Fatal(err)
		}
		if !written() {
			t.Errorf("round %d (%s): a workload was held up", round, how)
		}
		_ = os.Remove(goFile)
		done, _ := filepath.Glob(doneGlob)
		for _, f := range done {
			_ = os.Remove(f)
		}
	}
}

// checkGaps checks that lines are in order, none twice, and that no more is
// missing or torn than is accounted for.
func checkGaps(t *testing.T, what, text string, gaps int, lost int64) {
	t.Helper()
	last, torn, holes, missing := 299, 0, 0, int64(0)
	for line := range strings.Lines(text) {
		number, pad, ok := strings.Cut(line, " ")
		n, err := strconv.Atoi(number)
		switch {
		case number == "before" || line == "end":
			continue
		case !ok || err != nil || len(pad) != 501 && n != 1999:
			torn++
			continue
		case n <= last:
			t.Errorf("%s: line %d follows line %d", what, n, last)
		case n > last+1:
			holes++
			missing += int64(n-last-1) * 505
		}
		last = n
	}
	if last < 1999 {
		holes++
		missing += int64(1999-last) * 505
	}
	if holes > gaps+torn || torn > gaps || missing > lost+int64(gaps+1)*(32<<10) {
		t.Errorf("%s: %d lines torn, %d holes of %d bytes in all; counted were %d gaps and %d bytes", what, torn, holes, missing, gaps, lost)
	}
}
