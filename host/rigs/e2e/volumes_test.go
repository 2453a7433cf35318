package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVolumes shares a volume between backends, which gets the image's files first, and
// removes it and an anonymous one under a host that was killed meanwhile.
func TestVolumes(t *testing.T) {
	need(t)
	s := newSite(t, "default_backend = \"shim\"", "backend \"shim\" {\n  executor = \"shim\"\n}\n", "backend \"process\" {\n  executor = \"process\"\n}\n")
	s.must("load", "-i", busyboxImage(t, "app", 100))
	s.must("run", "--rm", "-u", "0", "-v", "data:/srv", "app", "echo own >/srv/own")
	if got := s.must("run", "--rm", "--backend", "process", "-v", "data:/srv:ro", "app", "cat greeting own; touch /srv/no || echo read-only"); got != "hello\nown\nread-only" {
		t.Errorf("the second container sees %q", got)
	}
	s.must("run", "-d", "--name", "c", "-v", "data:/srv", "-v", "/scratch", "app", "sleep 1000")
	if r := s.run("volume", "rm", "data"); r.code != 1 || !strings.Contains(r.stderr, "volume data is used by container c") {
		t.Errorf("removal of a volume in use: got %+v", r)
	}
	s.kill()
	s.start()
	s.waitBackend("shim")
	s.must("rm", "-f", "-v", "c")
	if got := s.must("volume", "ls", "-q"); got != "data" {
		t.Errorf("there are the volumes %q", got)
	}
	s.must("volume", "rm", "data")
	s.waitFor("nothing is left of volumes", func() bool {
		left, _ := os.ReadDir(filepath.Join(s.dir, "state/volumes"))
		return len(left) == 0
	})
}
