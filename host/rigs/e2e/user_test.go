package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// An executor that needs no root runs without, and so do its workloads; all that
// they have to reach they can, and the host is taken up by the next one as ever.
func TestExecutorWithoutRoot(t *testing.T) {
	need(t)
	s := newSite(t, "backend \"other\" {\n  executor = \"process\"\n}\n")
	s.stop()
	s.addBackend("backend \"main\" {\n  executor = \"process\"\n  user = \"4321:4322\"\n  config {\n    ignore = [\"usual\", \"root\"]\n  }\n}\n")
	s.start()
	s.waitFor("the host says what is in the way", func() bool {
		return strings.Contains(s.backend("main").LastError, "uid 4321 cannot pass through "+s.dir+"; chmod o+x it")
	})
	if err := os.Chmod(s.dir, 0o711); err != nil {
		t.Fatal(err)
	}
	s.waitBackend("main")
	id := s.must("run", "-d", "--backend", "main", "--rootfs", rootfs, "/bin/sh", "-c", "id -u; id -g; echo oops >&2; while [ ! -e "+s.dir+"/go ]; do sleep 0.05; done; exit 6")
	pid := s.backend("main").PID
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil || !strings.Contains(string(status), "Uid:\t4321\t4321\t4321\t4321\n") {
		t.Errorf("the executor: got %s, %v", status, err)
	}
	s.waitFor("the workload has written", func() bool { return strings.Contains(s.run("logs", id).stdout, "4322") })
	s.kill()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	s.start()
	s.waitBackend("main")
	if err := os.WriteFile(s.dir+"/go", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := s.must("wait", id); got != "6" {
		t.Errorf("got exit code %s, want 6", got)
	}
	if r := s.run("logs", id); r.stdout != "4321\n4322\n" || r.stderr != "oops\n" {
		t.Errorf("got %+v", r)
	}
}
