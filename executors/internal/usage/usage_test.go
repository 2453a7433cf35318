package usage

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// tree writes files of a cgroup.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func none() []int { return nil }

func TestVersions(t *testing.T) {
	want := executor.Stats{
		PIDs: []int{7, 8, 9}, CPU: new(1500 * time.Microsecond), Memory: new(uint64(600)), MemoryLimit: new(uint64(4096)), MemoryUsage: new(uint64(1000)),
		Tasks: new(uint64(3)), TasksLimit: new(uint64(17)), BlockRead: new(uint64(30)), BlockWritten: new(uint64(5)),
	}
	pids := map[string]string{"cgroup.procs": "9\n", "a/cgroup.procs": "8\n0\n", "a/b/cgroup.procs": "7\n", "pids.current": "3\n", "pids.max": "17\n"}
	for name, dirs := range map[string][]string{
		"2": {tree(t, map[string]string{
			"cgroup.procs": "9\n", "a/cgroup.procs": "8\n0\n", "a/b/cgroup.procs": "7\n", "pids.current": "3\n", "pids.max": "17\n",
			"cpu.stat": "usage_usec 1500\nuser_usec 1\n", "memory.current": "1000\n", "memory.stat": "anon 1\ninactive_file 400\n", "memory.max": "4096\n",
			"io.stat": "8:0 rbytes=10 wbytes=5 rios=1 wios=1 dbytes=9 dios=0\n8:16 rbytes=20 wbytes=0 rios=1\n",
		})},
		"1": {
			tree(t, pids),
			tree(t, map[string]string{"cgroup.procs": "1\n", "cpuacct.usage": "1500000\n"}),
			tree(t, map[string]string{"memory.usage_in_bytes": "1000\n", "memory.stat": "inactive_file 1\ntotal_inactive_file 400\n", "memory.limit_in_bytes": "4096\n"}),
			tree(t, map[string]string{"blkio.throttle.io_service_bytes_recursive": "8:0 Read 10\n8:0 Write 5\n8:0 Total 15\n8:16 Read 20\nTotal 35\n"}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := Of(dirs, none)
			if time.Since(got.At) > time.Minute {
				t.Errorf("measured at %s", got.At)
			}
			got.At = time.Time{}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("\n got %+v\nwant %+v", got, want)
			}
		})
	}
}

// TestNoLimits reads what the kernel writes where there is no limit, and files that make no
// sense.
func TestNoLimits(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"2":       {"memory.current": "1\n", "memory.max": "max\n", "pids.max": "max\n"},
		"1":       {"memory.usage_in_bytes": "1\n", "memory.limit_in_bytes": "9223372036854771712\n", "pids.max": "max\n"},
		"garbage": {"memory.current": "1", "memory.stat": "inactive_file 5\ninactive_file", "cpu.stat": "usage_usec x\n", "io.stat": "8:0 rbytes= wbytes=x\n\n", "cgroup.procs": "x\n-1\n"},
	} {
		if s := Of([]string{tree(t, files)}, none); s.MemoryLimit != nil || s.TasksLimit != nil || s.Memory == nil || *s.Memory > 1 || len(s.PIDs) > 0 {
			t.Errorf("%s: got %+v", name, s)
		}
	}
}

// TestWithoutCgroups measures a process that is in no cgroup of its own.
func TestWithoutCgroups(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	s := Of(nil, func() []int { return []int{cmd.Process.Pid, 1 << 22} })
	if s.CPU == nil || *s.CPU > time.Minute || s.Tasks == nil || *s.Tasks != 1 || s.Memory == nil || *s.Memory > 1<<30 || s.MemoryLimit != nil || s.BlockRead == nil {
		t.Errorf("got %+v", s)
	}
	own := Of(nil, func() []int { return []int{os.Getpid()} })
	if *own.Memory == 0 || *own.Tasks < 2 || !slices.Equal(own.PIDs, []int{os.Getpid()}) {
		t.Errorf("this process: got %+v", own)
	}
}
