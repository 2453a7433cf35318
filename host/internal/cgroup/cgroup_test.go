package cgroup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/rigs/wait"
)

// start starts a process that ends with the test.
func start(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

func TestProcessIsMovedInEveryHierarchy(t *testing.T) {
	c, err := At(fmt.Sprintf("/davit-test-%d/a", os.Getpid()))
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		var left []string
		if !wait.Holds(func() bool {
			c.Remove()
			left = nil
			for _, d := range c.dirs {
				_ = os.Remove(filepath.Dir(filepath.Join(d.mountpoint, d.path)))
				if _, err := os.Stat(filepath.Join(d.mountpoint, d.path)); err == nil {
					left = append(left, d.mountpoint)
				}
			}
			return len(left) == 0
		}) {
			t.Errorf("%s was not removed in %v", c, left)
		}
	})
	pid := start(t)
	if err := c.Add(pid); err != nil {
		t.Skip("cgroups cannot be made here: ", err)
	}
	of, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(of)) {
		if hierarchy, path, _ := strings.Cut(strings.TrimSpace(line), "/"); !strings.HasSuffix("/"+path, c.String()) && hierarchy != "0::" {
			t.Errorf("hierarchy %s: the process is in /%s", hierarchy, path)
		}
	}
	c.Remove()
	if _, err := os.Stat(filepath.Join(c.dirs[0].mountpoint, c.dirs[0].path)); err != nil {
		t.Errorf("a cgroup with a process in it was removed: %v", err)
	}
	if err := c.Add(pid); err != nil {
		t.Errorf("again: %v", err)
	}
}

// The hierarchies are directories here, so that some can refuse.
func TestHierarchiesThatRefuse(t *testing.T) {
	good, bad := t.TempDir(), filepath.Join(t.TempDir(), "absent")
	c := &Cgroup{path: "/davit/x", dirs: []dir{{mountpoint: bad, path: "/davit/x"}, {mountpoint: good, path: "/davit/x", cpuset: true}}}
	if err := os.MkdirAll(filepath.Join(good, "davit/x"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		"cpuset.cpus": "0-1\n", "davit/cpuset.cpus": "\n", "davit/x/cpuset.cpus": "", "davit/x/cgroup.procs": "",
		"cpuset.mems": "0\n", "davit/cpuset.mems": "1\n", "davit/x/cpuset.mems": "\n",
	} {
		if err := os.WriteFile(filepath.Join(good, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Add(7); err == nil || !strings.Contains(err.Error(), bad) {
		t.Errorf("got %v, want it to name %s", err, bad)
	}
	var got []string
	for _, file := range []string{"cgroup.procs", "cpuset.cpus", "cpuset.mems"} {
		text, err := os.ReadFile(filepath.Join(good, "davit/x", file))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.TrimSpace(string(text)))
	}
	if want := []string{"7", "0-1", "1"}; !slices.Equal(got, want) {
		t.Errorf("got process, processors and memory %q, want %q", got, want)
	}
}
