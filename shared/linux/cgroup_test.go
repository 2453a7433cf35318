package linux

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestCgroupMounts(t *testing.T) {
	got := ParseCgroupMounts([]byte(`22 1 0:20 / / rw - ext4 /dev/vda1 rw
30 23 0:26 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
36 23 0:31 /docker/0a /sys/fs/cgroup/cpu,cpuacct rw shared:10 master:2 - cgroup cgroup rw,cpu,cpuacct
37 23 0:32 / /mnt/a\040b\134c\x rw - cgroup cgroup rw,memory
38 23 0:33 / /mnt/cgroup rw - tmpfs cgroup2 rw
39 cut
`))
	want := []CgroupMount{
		{Unified: true, Root: "/", Mountpoint: "/sys/fs/cgroup/unified"},
		{Controllers: []string{"rw", "cpu", "cpuacct"}, Root: "/docker/0a", Mountpoint: "/sys/fs/cgroup/cpu,cpuacct"},
		{Controllers: []string{"rw", "memory"}, Root: "/", Mountpoint: `/mnt/a b\c\x`},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if m := got[1]; !m.Has("cpu") || m.Has("memory") || m.Dir("/docker/0a/x") != m.Mountpoint+"/x" {
		t.Errorf("%+v: cpu %t, memory %t, directory %s", m, m.Has("cpu"), m.Has("memory"), m.Dir("/docker/0a/x"))
	}
}

func TestCgroupsOf(t *testing.T) {
	paths, err := CgroupsOf(os.Getpid())
	if err != nil {
		t.Skip(err)
	}
	mounts, err := CgroupMounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mounts {
		if m.Unified {
			if _, ok := paths[""]; !ok {
				t.Errorf("version 2 is mounted at %s, and the process has no path in it: %v", m.Mountpoint, paths)
			}
		}
	}
}

func TestOOMKills(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memory.events")
	for text, want := range map[string]int64{"low 0\noom 3\noom_kill 2\noom_group_kill 0\n": 2, "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n": 7, "oom 1\n": -1} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := OOMKills(path); (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: got %d, %v; want %d", text, got, err, want)
		}
	}
}
