package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/disktest"
)

// faultyDirs are the directories of a host that can be on disks of their own.
var faultyDirs = map[string]string{"state": "state", "log": "state/containers", "executor": "state/backends"}

// newFaultySite has each of them on a file system that fails when it is asked to.
func newFaultySite(t *testing.T, backend string) (*site, map[string]*disktest.Faulty) {
	t.Helper()
	need(t)
	s := newSite(t, "default_backend = \"main\"", backend)
	s.stop()
	aside := filepath.Join(s.dir, "aside")
	if err := os.Rename(filepath.Join(s.dir, "state"), aside); err != nil {
		t.Fatal(err)
	}
	faulty := map[string]*disktest.Faulty{}
	var mounted []*disktest.Faulty
	for _, name := range []string{"state", "log", "executor"} {
		backing := filepath.Join(aside, strings.TrimPrefix(faultyDirs[name], "state"))
		if name != "state" {
			moved := filepath.Join(s.dir, "aside."+name)
			if err := os.Rename(backing, moved); err != nil {
				t.Fatal(err)
			}
			backing = moved
		}
		f, err := disktest.MountFaulty(filepath.Join(s.dir, faultyDirs[name]), backing)
		if err != nil {
			t.Fatal(err)
		}
		faulty[name] = f
		mounted = append(mounted, f)
	}
	t.Cleanup(func() {
		for _, f := range mounted {
			if err := f.Fail(0); err != nil {
				t.Error(err)
			}
		}
		if s.serve == nil {
			s.startAll()
		}
		for _, c := range s.containers() {
			s.run("rm", "-f", c.ID)
		}
		s.stop()
		for i := range mounted {
			if err := mounted[len(mounted)-1-i].Unmount(); err != nil {
				t.Error(err)
			}
		}
		s.startAll()
	})
	s.startAll()
	return s, faulty
}

// A disk that is full or read-only is an error that names the directory and what
// to do. Nothing that runs is hurt, nothing that ends is forgotten, and all goes
// on by itself when the disk is well again.
func TestDisksThatFail(t *testing.T) {
	disksThatFail(t, "backend \"main\" {\n  executor = \"shim\"\n}\n", "state", "log", "executor")
}

// The same of the directory of the executor whose monitors record the exits.
func TestDiskOfMonitorsThatFails(t *testing.T) {
	disksThatFail(t, "backend \"main\" {\n  executor = \"process\"\n}\n", "executor")
}

// The same of a directory in which a containerd lives.
func TestDiskOfContainerdThatFails(t *testing.T) {
	for name, daemon := range map[string]string{"debian": debian, "newest": newest} {
		t.Run(name, func(t *testing.T) {
			need(t, daemon)
			if !thorough(t) {
				t.Skip("takes long; set DAVIT_FULL_DISK_ROUNDS")
			}
			disksThatFail(t, containerdBackend("main", daemon, ""), "executor")
		})
	}
}

func disksThatFail(t *testing.T, backend string, dirs ...string) {
	s, faulty := newFaultySite(t, backend)
	for _, dir := range dirs {
		for _, fault := range []struct {
			name   string
			errno  syscall.Errno
			remedy string
		}{{"full", syscall.ENOSPC, "room"}, {"read-only", syscall.EROFS, "writable"}} {
			if fault.name == "full" && dir == "log" && !thorough(t) {
				continue // TestFullLogDisk has that
			}
			t.Run(dir+" "+fault.name, func(t *testing.T) {
				s.t = t
				s.disksThatFail(faulty[dir], faultyDirs[dir], fault.errno, fault.remedy)
			})
		}
	}
	s.t = t
}

func (s *site) disksThatFail(faulty *disktest.Faulty, dir string, errno syscall.Errno, remedy string) {
	t := s.t
	rootfs := ownRootfs(t)
	flag := filepath.Join(rootfs, "tmp/go")
	runs := s.must("run", "-d", "--rootfs", rootfs, "sh", "-c", "while :; do echo tick; sleep 0.05; done")
	ends := s.must("run", "-d", "--rootfs", rootfs, "sh", "-c", "echo first; while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 7")
	over := s.must("run", "-d", "--rootfs", rootfs, "sh", "-c", "exit 3")
	s.must("wait", over)
	pid, before := s.serve.Process.Pid, s.inspect(runs)
	last := s.inspect(ends).PID

	fail := func(errno syscall.Errno) {
		if err := faulty.Fail(errno); err != nil {
			t.Fatal(err)
		}
	}
	fail(errno)
	if r := s.runRootfs("--rm", "true"); r.code != 125 || !strings.Contains(r.stderr, filepath.Join(s.dir, dir)) || !strings.Contains(r.stderr, errno.Error()) || !strings.Contains(r.stderr, remedy) {
		t.Errorf("create: got code %d, %q; want 125, %q, the directory %s and the remedy", r.code, r.stderr, errno.Error(), dir)
	}
	touch(t, flag)
	s.waitFor("the process has ended", func() bool { return syscall.Kill(last, 0) != nil })
	if r := s.run("rm", over); r.code != 0 && (!strings.Contains(r.stderr, filepath.Join(s.dir, dir)) || !strings.Contains(r.stderr, errno.Error()) || !strings.Contains(r.stderr, remedy)) {
		t.Errorf("delete: got code %d, %q, want %q, the directory %s and the remedy", r.code, r.stderr, errno.Error(), dir)
	}
	if now := s.inspect(runs); now.State != "running" || now.PID != before.PID {
		t.Errorf("running: got %s with process %d, want process %d", now.State, now.PID, before.PID)
	}
	for _, c := range s.containers() {
		if c.ID == ends && c.Exit != nil && (c.Exit.Code == nil || *c.Exit.Code != 7) {
			t.Errorf("exit: got %+v", c.Exit)
		}
	}
	fail(0)

	if got := s.must("wait", ends); got != "7" {
		t.Errorf("exit: got code %s, want 7", got)
	}
	if now := s.inspect(runs); now.State != "running" || now.PID != before.PID {
		t.Errorf("running, afterwards: got %s with process %d, want process %d", now.State, now.PID, before.PID)
	}
	written := s.inspect(runs).Output["stdout"].Written
	s.waitFor("output goes on", func() bool { return s.inspect(runs).Output["stdout"].Written > written })
	if r := s.runRootfs("--rm", "true"); r.code != 0 {
		t.Errorf("create, afterwards: got %+v", r)
	}
	s.run("rm", over) // if it was not removed before
	s.must("rm", "-f", runs, ends)
	if left := s.containers(); len(left) != 0 {
		for _, c := range left {
			t.Errorf("delete, afterwards: %s is left, %s %s", c.ID, c.State, c.Error)
			s.run("rm", "-f", c.ID)
		}
	}
	if s.serve.Process.Pid != pid || s.serve.ProcessState != nil {
		t.Error("the host did not live through it")
	}
}
