package oci

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/host/rigs/wait"
	"golang.org/x/sys/unix"
)

// TestOOMWatch lets the count of a scope change and vanish, as it does when systemd
// removes the scope of a container that has ended. Its file is a plain one: inotify
// reports the change of either.
func TestOOMWatch(t *testing.T) {
	const none = "low 0\nhigh 0\nmax 4\noom 0\noom_kill 0\n"
	for _, tt := range []struct {
		name   string
		before int64
		first  string
		then   []string
		want   string
	}{
		{"nothing", 0, none, nil, "false"},
		{"reclaim alone", 0, none, []string{"max 9\noom 0\noom_kill 0\n"}, "false"},
		{"a kill", 0, none, []string{"max 9\noom 1\noom_kill 0\n", "max 9\noom 1\noom_kill 1\n"}, "true"},
		{"a kill that was not counted in time", 0, none, []string{"max 9\noom 1\noom_kill 0\n"}, "true"},
		{"a kill before it was adopted", 0, "oom 1\noom_kill 1\n", nil, "true"},
		{"a kill before the start", 1, "oom 1\noom_kill 1\n", nil, "false"},
		{"a kill before the start, and another", 1, "oom 1\noom_kill 1\n", []string{"oom 2\noom_kill 2\n"}, "true"},
		{"a change that came too late to be read", 0, none, []string{""}, "unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "davit-x.scope")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			above := filepath.Join(filepath.Dir(dir), "memory.events")
			writeInPlace(t, above, "oom_kill 7\n")
			s := OOMSource{File: filepath.Join(dir, "memory.events"), Before: tt.before}
			writeInPlace(t, s.File, tt.first)
			w := NewOOMWatcher()
			defer w.Close()
			s = w.Watch(s)
			defer s.Forget()
			if s.watch == nil {
				t.Fatal("it is not watched")
			}
			for _, text := range tt.then {
				if text == "" {
					w.mu.Lock() // the goroutine does not get to it before the file is gone
					writeInPlace(t, s.File, "oom 1\noom_kill 1\n")
					writeInPlace(t, above, "oom_kill 8\n")
					os.RemoveAll(dir)
					w.mu.Unlock()
					continue
				}
				writeInPlace(t, s.File, text)
				w.mu.Lock()
				w.read()
				w.mu.Unlock()
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			got := "unknown"
			if killed := s.Killed(true); killed != nil {
				got = map[bool]string{false: "false", true: "true"}[*killed]
			}
			if got != tt.want {
				t.Errorf("killed: got %s, want %s", got, tt.want)
			}
		})
	}
	w := NewOOMWatcher()
	defer w.Close()
	if s := w.Watch(OOMSource{File: "/sys/fs/cgroup/davit/x/memory.events"}); s.watch != nil {
		t.Error("a cgroup that stays is watched")
	}
}

// TestOOMWatchWithoutReport changes a count soon after another one, which the kernel does not
// report if the cgroup is gone too soon. A file that is changed through a mapping is not
// reported either.
func TestOOMWatchWithoutReport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "davit-x.scope")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "memory.events")
	writeInPlace(t, file, "max 0\noom 0\noom_kill 0\n")
	w := NewOOMWatcher()
	defer w.Close()
	s := w.Watch(OOMSource{File: file})
	defer s.Forget()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := unix.Mmap(int(f.Fd()), 0, 24, unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(m) }()

	w.mu.Lock()
	writeInPlace(t, file, "max 1\n")
	w.read()
	if _, fresh := w.fresh[s.watch]; !fresh {
		t.Error("a file that has changed is not read again")
	}
	copy(m[bytes.Index(m, []byte("kill "))+5:], "1")
	w.mu.Unlock()
	wait.Until(t, "the kill is seen", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return s.watch.counts["oom_kill"] == 1
	})
	wait.Until(t, "the file is not read any more", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.fresh) == 0
	})

	// Now it is gone before it is read again, and nothing says that there was no kill.
	w.mu.Lock()
	writeInPlace(t, file, "max 2\n")
	w.read()
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
	w.mu.Unlock()
	s.Before = 1
	if killed := s.Killed(false); killed != nil {
		t.Errorf("got %t, want that nobody knows", *killed)
	}
}

// writeInPlace changes a file with one event, without making it empty before.
func writeInPlace(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
