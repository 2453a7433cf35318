package e2e

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/realtest"
)

// An ephemeral host is killed: containers, shims, daemons and executors go.
func TestEphemeralHostLeavesNothing(t *testing.T) {
	need(t, debian)
	s := newSite(t, "default_backend = \"daemon\"", containerdBackend("daemon", debian, ""), "backend \"bare\" {\n  executor = \"shim\"\n}\n")
	s.stop()
	s.start("--ephemeral")
	run := func() {
		t.Helper()
		for _, b := range s.backends() {
			s.must("run", "-d", "--rootfs", rootfs, "--backend", b.Name, "sleep", "600")
		}
	}
	nothing := func() bool {
		return !slices.ContainsFunc(leftovers(s.dir), func(what string) bool {
			return !strings.HasPrefix(what, "output of ") && !strings.HasSuffix(what, ".sock")
		})
	}
	run()
	s.kill()
	s.waitFor("nothing is left of a host that was killed", nothing)

	s.start("--ephemeral")
	s.waitFor("the records of the last host are removed", func() bool { return len(s.containers()) == 0 })
	run()
	var pids []int
	for _, b := range s.backends() {
		pids = append(pids, b.PID)
	}
	realtest.Stop(t, s.serve.Process.Pid) // or it starts others
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	s.kill()
	time.Sleep(100 * time.Millisecond)
	if nothing() {
		t.Error("nothing is left, so there is nothing to clean up")
	}
	s.start("--ephemeral")
	s.waitFor("the next host has cleaned up", func() bool { return len(s.containers()) == 0 })
	run()
	s.stop()
	if !nothing() {
		t.Errorf("left behind by a host that ended: %q", leftovers(s.dir))
	}
}
