package linux

import (
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzStat reads what stands in /proc/PID/stat, where the name is the process's own.
func FuzzStat(f *testing.F) {
	f.Add([]byte("1 (a b) S 0 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 42 1 1"))
	f.Add([]byte("1 (a) Z 9 (x) S 1 1 1"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseStat(b); err == nil && s.State == 0 {
			t.Errorf("%q: got %+v", b, s)
		}
	})
}

// FuzzMounts reads mountinfo, in which paths are what users have mounted.
func FuzzMounts(f *testing.F) {
	f.Add([]byte("30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"))
	f.Add([]byte("31 30 0:27 /a /x\\040y rw - cgroup cgroup rw,memory\n"))
	f.Add([]byte("- - -\n\\"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, m := range ParseCgroupMounts(b) {
			_ = m.Dir("/a")
		}
	})
}

// FuzzHolder reads /proc/locks.
func FuzzHolder(f *testing.F) {
	f.Add("1: FLOCK  ADVISORY  WRITE 4242 fe:00:393478 0 EOF\n")
	f.Add("1: -> FLOCK\n")
	f.Fuzz(func(t *testing.T, locks string) {
		_ = holder(locks, unix.Stat_t{Dev: unix.Mkdev(0xfe, 0), Ino: 393478})
	})
}
