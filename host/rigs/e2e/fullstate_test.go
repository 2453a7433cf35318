package e2e

import (
	"path/filepath"
	"testing"
)

// A full disk keeps nobody from stopping and removing what runs, which makes room.
func TestRemovalOnFullDisk(t *testing.T) {
	for dir, size := range map[string]int64{"state": 256 << 20, "state/backends": 32 << 20} {
		t.Run(dir, func(t *testing.T) { removalOnFullDisk(t, dir, size) })
	}
}

func removalOnFullDisk(t *testing.T, dir string, size int64) {
	need(t)
	s := newSite(t, "default_backend = \"shim\"", "backend \"shim\" {\n  executor = \"shim\"\n}\n",
		"backend \"process\" {\n  executor = \"process\"\n}\n",
		containerdBackend("debian", debian, ""), containerdBackend("newest", newest, ""))
	disk := s.on(dir, size)
	for _, backend := range []string{"debian", "newest"} {
		if root := filepath.Join(s.dir, "state/backends", backend, "containerd"); !exists(root) {
			t.Fatalf("no containerd works in %s", root)
		}
	}
	run := func(backend string) string {
		return s.must("run", "-d", "--backend", backend, "--rootfs", rootfs, "sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done")
	}
	for _, backend := range []string{"shim", "process", "debian", "newest"} {
		stopped, removed := run(backend), run(backend)
		s.waitFor("it can be stopped", func() bool { return s.must("logs", stopped) == "ready" })
		if err := disk.Fill(); err != nil {
			t.Fatal(err)
		}
		if r := s.run("stop", stopped); r.code != 0 {
			t.Errorf("%s: stop: got code %d, %q", backend, r.code, r.stderr)
		}
		if c := s.inspect(stopped); c.Exit == nil || c.Exit.Code == nil || *c.Exit.Code != 7 {
			t.Errorf("%s: exit: got %+v, want code 7", backend, c.Exit)
		}
		for _, id := range []string{removed, stopped} {
			if r := s.run("rm", "-f", id); r.code != 0 || r.stderr != "" {
				t.Errorf("%s: removal: got code %d, %q", backend, r.code, r.stderr)
			}
			if dir := filepath.Join(s.dir, "state/backends", backend, "containers", id); exists(dir) {
				t.Errorf("%s: %s is left", backend, dir)
			}
		}
		if err := disk.Free(); err != nil {
			t.Fatal(err)
		}
	}
}
