package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/linux"
)

// unit is a cgroup such as a service manager makes for a service.
type unit struct {
	t    *testing.T
	dirs []string
}

func newUnit(t *testing.T) *unit {
	t.Helper()
	u := &unit{t: t}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); strings.HasPrefix(fields[2], "cgroup") && !strings.Contains(fields[3], "cpuset") {
			u.dirs = append(u.dirs, fmt.Sprintf("%s/davit-unit-%d", fields[1], os.Getpid()))
		}
	}
	for _, dir := range u.dirs {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Skip("cgroups cannot be made here: ", err)
		}
		t.Cleanup(func() {
			if !wait.Holds(func() bool { return os.Remove(dir) == nil }) {
				t.Errorf("%s cannot be removed", dir)
			}
		})
	}
	return u
}

// add moves a process into the unit.
func (u *unit) add(pid int) {
	u.t.Helper()
	for _, dir := range u.dirs {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			u.t.Fatal(err)
		}
	}
}

// stop kills whatever is in the unit, in any hierarchy, until nothing is.
func (u *unit) stop() (killed []int) {
	u.t.Helper()
	wait.Until(u.t, "the unit has ended", func() bool {
		left := 0
		for _, dir := range u.dirs {
			procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			if err != nil {
				u.t.Fatal(err)
			}
			for field := range strings.FieldsSeq(string(procs)) {
				pid, _ := strconv.Atoi(field)
				_ = syscall.Kill(pid, syscall.SIGKILL)
				if left++; !slices.Contains(killed, pid) {
					killed = append(killed, pid)
				}
			}
		}
		return left == 0
	})
	return killed
}

// startTime distinguishes a process from another that took its number.
func startTime(t *testing.T, pid int) string {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || bytes.Contains(stat, []byte(") Z ")) {
		t.Errorf("process %d is gone (%v)", pid, err)
		return ""
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:]))[19]
}

const counts = "i=0; while [ ! -e /tmp/stop ]; do i=$((i+1)); echo $i; sleep 0.02; done; exit 7"

// What a service manager does to the host's unit reaches no executor, no daemon of
// an executor's own, no shim and no container.
func TestStoppedUnitTakesNothingAlong(t *testing.T) {
	need(t, debian)
	u := newUnit(t)
	s := newSite(t, "default_backend = \"bare\"", containerdBackend("daemon", debian, ""), "backend \"bare\" {\n  executor = \"shim\"\n}\n")
	u.add(s.serve.Process.Pid)
	// Executors that start now are born in the unit.
	before := map[string]string{}
	for _, b := range []string{"daemon", "bare"} {
		if err := syscall.Kill(s.backend(b).PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	volume := t.TempDir()
	var ids []string
	for _, b := range []string{"daemon", "bare"} {
		s.waitFor(b+" is replaced", func() bool { now := s.backend(b); return now.State == "ready" && now.Starts == 2 })
		id := s.must("run", "-d", "--backend", b, "--rootfs", rootfs, "-v", volume+":/tmp", "sh", "-c", counts)
		ids = append(ids, id)
		container := s.inspect(id).PID
		for what, pid := range map[string]int{"executor": s.backend(b).PID, "shim": parent(t, container), "container": container} {
			before[fmt.Sprintf("%s of %s: %d", what, b, pid)] = startTime(t, pid)
		}
	}
	daemon := processWith(t, "/containerd\x00--config\x00"+s.dir)
	before[fmt.Sprintf("containerd: %d", daemon)] = startTime(t, daemon)

	if killed := u.stop(); !slices.Equal(killed, []int{s.serve.Process.Pid}) {
		t.Errorf("got processes %v killed, want the host %d alone", killed, s.serve.Process.Pid)
	}
	_ = s.serve.Wait()
	for who, started := range before {
		_, pid, _ := strings.Cut(who, ": ")
		n, _ := strconv.Atoi(pid)
		if got := startTime(t, n); got != started {
			t.Errorf("%s was started at %s, now %s", who, started, got)
		}
	}
	s.start()
	if err := os.WriteFile(filepath.Join(volume, "stop"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, b := range []string{"daemon", "bare"} {
		s.waitBackend(b)
		if now := s.backend(b); now.Starts != 0 {
			t.Errorf("%s was started anew: %+v", b, now)
		}
		if got := s.must("wait", ids[i]); got != "7" {
			t.Errorf("container on %s: got exit code %s, want 7", b, got)
		}
		lines := strings.Split(s.must("logs", ids[i]), "\n")
		for n, line := range lines {
			if line != strconv.Itoa(n+1) {
				t.Errorf("container on %s: line %d is %q", b, n+1, line)
				break
			}
		}
	}
	groups := map[string]bool{}
	for _, b := range s.backends() {
		groups[b.Cgroup] = true
	}
	if len(groups) != 2 || groups[""] {
		t.Errorf("got cgroups %v, want one for each backend", groups)
	}
	for _, c := range s.containers() {
		s.must("rm", "-f", c.ID)
	}
	s.stop()
	for group := range groups {
		if left, _ := filepath.Glob("/sys/fs/cgroup/*" + group); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	s.start()
}

// processWith returns the process whose command line holds a text.
func processWith(t *testing.T, text string) int {
	t.Helper()
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		if line, _ := os.ReadFile(path); bytes.Contains(line, []byte(text)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			return pid
		}
	}
	t.Fatalf("no process has %q", text)
	return 0
}

// A workload that runs out of memory is alone with it: neither its shim nor the
// executor is in its cgroup.
func TestOOMTakesNothingAlong(t *testing.T) {
	need(t, debian)
	s := newSite(t, "default_backend = \"bare\"", containerdBackend("daemon", debian, ""), "backend \"bare\" {\n  executor = \"shim\"\n}\n")
	for _, b := range []string{"daemon", "bare"} {
		script := "while [ ! -e /tmp/go ]; do sleep 0.02; done; x=x; while :; do x=$x$x; done"
		volume := t.TempDir()
		id := s.must("run", "-d", "--backend", b, "--memory", "16m", "--rootfs", rootfs, "-v", volume+":/tmp", "sh", "-c", script)
		neighbour := s.must("run", "-d", "--backend", b, "--rootfs", rootfs, "sleep", "600")
		container, executor := s.inspect(id).PID, s.backend(b).PID
		shim := parent(t, container)
		own := memoryCgroup(t, container)
		for who, pid := range map[string]int{"shim": shim, "executor": executor, "neighbour": s.inspect(neighbour).PID} {
			if group := memoryCgroup(t, pid); group == own || strings.HasPrefix(group, own+"/") {
				t.Errorf("%s: the %s is in the container's cgroup %s", b, who, group)
			}
		}
		started := startTime(t, executor)
		if err := os.WriteFile(filepath.Join(volume, "go"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		s.must("wait", id)
		if c := s.inspect(id); c.Exit == nil || c.Exit.OOM == nil || !*c.Exit.OOM || c.Exit.Source != "observed" {
			t.Errorf("%s: got %+v, want oom, observed", b, c.Exit)
		}
		if got := startTime(t, executor); got != started {
			t.Errorf("%s: the executor was started at %s, now %s", b, started, got)
		}
		if c := s.inspect(neighbour); c.State != "running" {
			t.Errorf("%s: its neighbour is %s", b, c.State)
		}
	}
}

// memoryCgroup returns the cgroup that a process's memory is charged to.
func memoryCgroup(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	unified := ""
	for line := range strings.Lines(strings.TrimSpace(string(text))) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if parts[1] == "memory" {
			return parts[2]
		}
		if parts[1] == "" {
			unified = parts[2]
		}
	}
	return unified
}

// Replacing an executor's file neither breaks nor changes what runs, and what is
// started of it, by whatever way, is what was installed when the executor started.
func TestUpgradeUnderRunningContainers(t *testing.T) {
	need(t)
	dir, err := os.MkdirTemp("", "dv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "davit-executor-shim")
	install := func(text []byte) {
		t.Helper()
		if err := linux.WriteProgram(program, text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(bin, "davit-executor-shim"))
	if err != nil {
		t.Fatal(err)
	}
	first := fmt.Sprintf("%x", sha256.Sum256(text))
	install(text)
	// A shim may go to a cgroup of its own.
	u := newUnit(t)
	s := newSite(t, "executor_dirs = [\""+dir+"\"]\nbackend \"main\" {\n  executor = \"shim\"\n  sha256 = \""+first+"\"\n  runtime \"apart\" {\n    options {\n      shim_cgroup = \"/"+filepath.Base(u.dirs[0])+"\"\n    }\n  }\n}\n")
	run := func(runtime string) string {
		return s.must("run", "-d", "--runtime", runtime, "--rootfs", rootfs, "sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.02; done")
	}
	ran := func(id string) string {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/exe", parent(t, s.inspect(id).PID)))
		if err != nil {
			t.Error(err)
		}
		return fmt.Sprintf("%x", sha256.Sum256(text))
	}
	old := []string{run("runc"), run("apart")}
	install([]byte("#!/bin/sh\nexit 1\n"))
	for _, id := range append(old, run("runc"), run("apart")) {
		if got := ran(id); got != first {
			t.Errorf("the shim of %s is %.8s, want %.8s", id, got, first)
		}
		old = append(old, id)
	}
	old = old[2:]
	// Another version, and a config that means it.
	upgraded := append(text, "more"...)
	second := fmt.Sprintf("%x", sha256.Sum256(upgraded))
	install(upgraded)
	s.stop()
	config, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.config, bytes.ReplaceAll(config, []byte(first), []byte(second)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.waitBackend("main")
	s.must("backend", "upgrade", "main")
	newer := run("apart")
	if got := ran(newer); got != second {
		t.Errorf("the shim of a new container is %.8s, want %.8s", got, second)
	}
	copies := func() int {
		found, _ := filepath.Glob(filepath.Join(s.dir, "state/executors/*"))
		return len(found)
	}
	if got := copies(); got != 2 {
		t.Errorf("got %d copies of the program, want 2", got)
	}
	for _, id := range old {
		s.must("kill", "-s", "TERM", id)
		if got := s.must("wait", id); got != "5" {
			t.Errorf("container %s: got exit code %s, want 5", id, got)
		}
		s.must("rm", id)
	}
	s.must("backend", "restart", "main")
	s.waitFor("the copy is gone that no container needs any more", func() bool { return copies() == 1 })
	s.must("rm", "-f", newer)
}

// Secrets in the host's environment, and files that it has open, reach no executor,
// shim, daemon or workload.
func TestEnvironmentStaysWithTheHost(t *testing.T) {
	need(t, debian)
	secret, err := os.Create(filepath.Join(t.TempDir(), "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Close()
	t.Setenv("SECRET_TOKEN", "hunter2")
	t.Setenv("DAVIT_SHIM", "hunter2")
	s := newSite(t, "default_backend = \"bare\"", containerdBackend("daemon", debian, ""), "backend \"bare\" {\n  executor = \"shim\"\n}\n")
	s.stop()
	s.leak = secret
	s.start()
	for _, b := range []string{"daemon", "bare"} {
		s.waitBackend(b)
		id := s.must("run", "-d", "--backend", b, "--rootfs", rootfs, "sleep", "600")
		container := s.inspect(id).PID
		pids := map[string]int{"executor": s.backend(b).PID, "shim": parent(t, container), "workload": container}
		if b == "daemon" {
			pids["containerd"] = processWith(t, "/containerd\x00--config\x00"+s.dir)
		}
		for who, pid := range pids {
			environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
			if err != nil {
				t.Error(err)
			}
			if bytes.Contains(environ, []byte("hunter2")) || who != "executor" && bytes.Contains(environ, []byte("DAVIT_EXECUTOR=")) {
				t.Errorf("%s, %s: the environment is %q", b, who, environ)
			}
			fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
			for _, fd := range fds {
				if target, _ := os.Readlink(fd); target == secret.Name() {
					t.Errorf("%s, %s: has %s open", b, who, target)
				}
			}
		}
	}
	out, err := exec.Command("readlink", fmt.Sprintf("/proc/%d/fd/3", s.serve.Process.Pid)).Output()
	if strings.TrimSpace(string(out)) != secret.Name() {
		t.Errorf("the host itself has %s, %v at descriptor 3: the test shows nothing", out, err)
	}
}
