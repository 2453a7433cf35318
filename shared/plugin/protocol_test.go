package plugin

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/host/rigs/gobuild"
)

// TestFrozenHost runs an executor of today's kit by a host that was frozen when
// protocol 1 was: see testdata/protocol1 of package transport.
func TestFrozenHost(t *testing.T) {
	dir, err := os.MkdirTemp("", "dv") // short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := gobuild.Make(dir, "./shared/transport/testdata/protocol1", "./shared/conformance/memory/cmd/davit-executor-memory"); err != nil {
		t.Fatal(err)
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
