package oci

import (
	"os"
	"path/filepath"
	"testing"
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
