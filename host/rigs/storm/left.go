package storm

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/davit-run/davit/host/rigs/wait"
)

// checkLeftovers wants nothing left of any container, first in containerd and
// then, once the host has stopped, on the machine. What is left by processes that
// the storm may have missed is ended, so that it harms nobody else.
func (s *storm) checkLeftovers(ctx context.Context) {
	if err := s.site.waitReady(ctx); err != nil {
		s.report.bad(others, "%v", err)
	}
	for _, t := range s.site.targets {
		for _, what := range []string{"task", "container"} {
			if t.ctr == "" {
				continue
			}
			out, err := exec.CommandContext(ctx, t.ctr, "--address", s.site.containerdSock(t), "--namespace", "davit", what, "list", "--quiet").Output()
			if err != nil {
				s.report.bad(others, "ctr %s list on %s: %v: %s", what, t.name, err, out)
				continue
			}
			for id := range strings.FieldsSeq(string(out)) {
				s.report.bad(leftovers, "%s of containerd on %s: %s", what, t.name, id)
			}
		}
	}
	s.leftFiles()
	var host struct {
		ID string `json:"host_id"`
	}
	if err := s.site.client.call(ctx, "GET", "/version", nil, &host); err != nil {
		s.report.bad(others, "%v", err)
	}
	if err := s.site.stop(); err != nil {
		s.report.bad(others, "%v", err)
	}
	wait.Holds(func() bool { return len(s.ours()) == 0 }) // what was asked to end does
	left := s.ours()
	for _, p := range left {
		s.report.bad(leftovers, "%v", p)
		signalTo(p, func(now process) bool { return strings.Join(now.args, " ") == strings.Join(p.args, " ") }, syscall.SIGKILL)
	}
	s.leftSockets()
	s.leftMounts()
	s.leftCgroups()
	s.leftExecutorCgroups(host.ID, len(left) > 0)
}

// ours returns the processes that belong to the site.
func (s *storm) ours() []process {
	return processes(func(p process) bool {
		return strings.Contains(strings.Join(p.args, " ")+" "+p.cwd, s.site.dir)
	})
}

// leftFiles reports what is named for a container: bundles of containerd, state of
// runc and of davit, and cgroups.
func (s *storm) leftFiles() {
	const length = 16 // of the beginning of an id; more follows
	ids := map[string]bool{}
	for _, l := range s.lives {
		ids[l.id[:min(length, len(l.id))]] = true
	}
	for _, root := range []string{s.site.dir, "/sys/fs/cgroup"} {
		_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err == nil && len(d.Name()) >= length && ids[d.Name()[:length]] {
				s.report.bad(leftovers, "file %s", path)
				if root != s.site.dir {
					_ = os.Remove(path) // a cgroup, which would outlive us
				}
			}
			return nil
		})
	}
}

func (s *storm) leftSockets() {
	sockets, _ := os.ReadFile("/proc/net/unix")
	for l := range bytes.Lines(sockets) {
		if bytes.Contains(l, []byte(s.site.dir)) {
			s.report.bad(leftovers, "socket %s", bytes.TrimSpace(l))
		}
	}
	for _, l := range s.lives {
		if _, err := os.Lstat(l.socket); err == nil {
			s.report.bad(leftovers, "socket %s of %v", l.socket, l)
			_ = os.Remove(l.socket)
		}
	}
}

func (s *storm) leftMounts() {
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for l := range bytes.Lines(mounts) {
		if bytes.Contains(l, []byte(s.site.dir)) {
			s.report.bad(leftovers, "mount %s", bytes.TrimSpace(l))
			_ = syscall.Unmount(strings.Fields(string(l))[1], syscall.MNT_DETACH)
		}
	}
}

// leftCgroups looks for the cgroups that backends have for their containers.
func (s *storm) leftCgroups() {
	keys := map[string]bool{}
	for _, l := range s.lives {
		if _, key, ok := strings.Cut(l.bundle, "-"); ok {
			keys[key] = true
		}
	}
	for key := range keys {
		cgroups, _ := filepath.Glob("/sys/fs/cgroup/*/davit/" + key)
		for _, path := range append(cgroups, "/sys/fs/cgroup/davit/"+key) {
			if os.Remove(path) == nil {
				s.report.bad(leftovers, "cgroup %s", path)
			}
		}
	}
}

// leftExecutorCgroups looks for the cgroups of executors, which those remove that were not
// killed.
func (s *storm) leftExecutorCgroups(host string, killed bool) {
	if host == "" {
		return
	}
	for _, dir := range []string{"/sys/fs/cgroup/*/davit", "/sys/fs/cgroup/davit"} {
		cgroups, _ := filepath.Glob(dir + "/executor." + host + ".*")
		for _, path := range cgroups {
			_ = os.Remove(path)
			if !killed {
				s.report.bad(leftovers, "cgroup %s", path)
			}
		}
	}
}
