package e2e

import (
	"strings"
	"testing"
)

// TestSharing has containers of two backends share their processes and memory, whichever of
// them is restarted, and when the host is killed.
func TestSharing(t *testing.T) {
	s := pauseSite(t)
	run := func(name, backend string, more ...string) string {
		t.Helper()
		return s.must(append([]string{"run", "-d", "--name", name, "--backend", backend, "--rootfs", rootfs}, more...)...)
	}
	// It does not reap what others leave to it, as the first process of the namespace.
	first := run("first", "daemon", "--ipc", "shareable", "--shm-size", "1m", "sh", "-c", "echo $HOSTNAME > /dev/shm/name; while :; do sleep 1; done")
	second := []string{"--restart", "always", "--pid", "container:first", "--ipc", "container:" + first[:8], "sh", "-c", "sleep inf & exec sleep inf"}
	for _, b := range []string{"bare", "daemon"} {
		run(b, b, second...)
	}
	check := func(when string) {
		t.Helper()
		for _, name := range []string{"bare", "daemon"} {
			want := s.must("exec", "first", "sh", "-c", "readlink /proc/self/ns/pid /proc/self/ns/ipc; cat /dev/shm/name; stat -c %d /dev/shm")
			s.waitFor(when+", "+name+" shares what first has", func() bool {
				return s.run("exec", name, "sh", "-c", "readlink /proc/self/ns/pid /proc/self/ns/ipc; cat /dev/shm/name; stat -c %d /dev/shm").stdout == want+"\n"
			})
		}
		if got := s.must("exec", "first", "sh", "-c", "ps"); strings.Count(got, "sleep inf") != 4 {
			t.Errorf("%s, first sees\n%s", when, got)
		}
	}
	check("at first")
	s.must("exec", "bare", "sh", "-c", ": > /dev/shm/left")
	s.must("restart", "-t", "0", "first") // and all in the namespace end with it
	check("after a restart of first")
	if r := s.run("exec", "first", "sh", "-c", "[ -e /dev/shm/left ]"); r.code == 0 {
		t.Error("shared memory of the run before is there after a restart")
	}
	s.kill()
	s.start()
	s.waitBackend("bare")
	s.waitBackend("daemon")
	check("under the next host")
	s.must("restart", "-t", "0", "bare")
	check("after a restart of bare under the next host")

	for _, c := range []struct{ want, args string }{
		{"the spec asks for what a plain process on the host cannot have: linux.namespaces", "--backend loose --pid container:first"},
		{"the spec asks for what a WebAssembly module cannot have: linux.namespaces", "--backend modules --pid container:first"},
		{"container plain, on backend loose, has the processes of this machine; use --pid host", "--pid container:plain"},
	} {
		if strings.Contains(c.args, "plain") {
			run("plain", "loose", "sleep", "inf")
		}
		args := append(append([]string{"run", "--rm"}, strings.Fields(c.args)...), "--rootfs", rootfs, "true")
		if r := s.run(args...); r.code != 125 || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%s: got %+v, want %s", c.args, r, c.want)
		}
	}
	s.must("rm", "-f", "first", "bare", "daemon", "plain")
	if got := s.must("run", "--rm", "--ipc", "none", "--rootfs", rootfs, "sh", "-c", "grep -c /dev/shm /proc/mounts || true"); got != "0" {
		t.Errorf("with ipc none there are %s mounts of shared memory", got)
	}
}
