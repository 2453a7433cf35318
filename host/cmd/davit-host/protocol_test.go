package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/gobuild"
)

// TestFrozenExecutor runs containers by an executor that was frozen when protocol 1
// was: see testdata/protocol1 of package transport.
func TestFrozenExecutor(t *testing.T) {
	s := newSite(t)
	built := gobuild.One(t, "./shared/transport/testdata/protocol1")
	if err := os.Rename(built, filepath.Join(s.dir, "bin/davit-executor-protocol1")); err != nil {
		t.Fatal(err)
	}
	s.write("state_dir = \"state\"\nrun_dir = \"run\"\nexecutor_dirs = [\"bin\"]\nbackend \"old\" {\n  executor = \"protocol1\"\n  config {\n    greeting = \"hello\"\n  }\n}\n")
	s.want(0, s.config+" is valid: 1 backend\n", "", "validate", "--config", s.config)
	h := s.serve()
	s.want(7, "hello 1\n", "", "run", "--rootfs", s.rootfs, "--rm", "hello", "1")
	r := s.run("run", "-d", "--name", "w", "--rootfs", s.rootfs, "wait")
	if r.code != 0 {
		t.Fatalf("run -d: %+v", r)
	}

	// The next host takes up the process, and what runs in it.
	_ = h.cmd.Process.Signal(syscall.SIGKILL)
	_ = h.cmd.Wait()
	s.serve()
	if got := s.run("ps").stdout; !strings.Contains(got, "running") {
		t.Errorf("ps after the host was killed:\n%s", got)
	}
	s.want(0, "w\n", "", "kill", "-s", "TERM", "w")
	s.want(0, "143\n", "", "wait", "w")
	s.want(0, "w\n", "", "rm", "w")
	if got := s.run("backends").stdout; !strings.Contains(got, "protocol1") || !strings.Contains(got, "ready") {
		t.Errorf("backends:\n%s", got)
	}
}
