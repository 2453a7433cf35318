package plugin

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestFrozenHost runs an executor of today's kit by a host that was frozen when
// protocol 1 was: see testdata/protocol1 of package transport.
func TestFrozenHost(t *testing.T) {
	dir, err := os.MkdirTemp("", "dv") // short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	build := exec.Command("go", "build", "-o", dir+"/", "../transport/testdata/protocol1", "../conformance/memory/cmd/davit-executor-memory")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	work := filepath.Join(dir, "w")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(dir+"/protocol1", "host", dir+"/davit-executor-memory", work).CombinedOutput()
	if err != nil {
		t.Errorf("a host of protocol 1 does not get on with today's kit: %v\n%s", err, out)
	}
}
