package realtest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/wait"
)

// NothingLeft fails the test, at its end, if processes, mounts, cgroups or state
// of runc whose name contains mark are there. It must be called before what is
// to be gone by then is started, since clean-ups run in reverse order.
func NothingLeft(t testing.TB, mark string) {
	t.Helper()
	t.Cleanup(func() {
		var left []string
		// Kernel and shims tidy up in the background.
		if !wait.Holds(func() bool { left = Leftovers(mark); return len(left) == 0 }) {
			t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
		}
	})
}

// LeaveCgroup makes an empty cgroup in a hierarchy, as OCI runtimes leave it
// behind at times. NothingLeft finds it.
func LeaveCgroup(t testing.TB, path string) {
	t.Helper()
	root := "/sys/fs/cgroup"
	if _, err := os.Stat(filepath.Join(root, "unified")); err == nil {
		root = filepath.Join(root, "unified")
	}
	if err := os.MkdirAll(filepath.Join(root, path), 0o755); err != nil {
		t.Fatal(err)
	}
}

// Leftovers lists the processes, mounts, cgroups and files of runc whose command
// line or path contains mark.
func Leftovers(mark string) []string {
	left := slices.Concat(processes(mark), mounts(mark), Cgroups(mark), dirs("runc", "/run/containerd/runc", mark), dirs("runc", "/run/runc", mark))
	slices.Sort(left)
	return left
}

// Cgroups lists the cgroups whose name contains mark.
func Cgroups(mark string) []string { return dirs("cgroup", "/sys/fs/cgroup", mark) }

func processes(mark string) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil && strings.Contains(string(b), mark) && filepath.Base(filepath.Dir(f)) != fmt.Sprint(os.Getpid()) {
			found = append(found, "process "+filepath.Base(filepath.Dir(f))+" "+strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
	return found
}

func mounts(mark string) []string {
	var found []string
	b, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, mark) {
			found = append(found, "mount "+strings.TrimSpace(line))
		}
	}
	return found
}

func dirs(kind, root, mark string) []string {
	var found []string
	_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return nil
		}
		if strings.Contains(e.Name(), mark) {
			found = append(found, kind+" "+path)
		}
		var st syscall.Stat_t
		if syscall.Lstat(path, &st) == nil && st.Nlink == 2 {
			return fs.SkipDir // no directory is in it, but in a cgroup dozens of files
		}
		return nil
	})
	return found
}
