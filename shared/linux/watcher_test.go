package linux

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWatcherWakesOncePerArm(t *testing.T) {
	w := NewWatcher()
	path := filepath.Join(t.TempDir(), "f")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func() {
		if _, err := f.WriteString("x"); err != nil {
			t.Fatal(err)
		}
	}
	woken := make(chan string, 8)
	first := &Waiter{Wake: func() { woken <- "write" }}
	second := &Waiter{Wake: func() { woken <- "close" }}
	if err := w.Arm(path, unix.IN_MODIFY, first); err != nil {
		t.Fatal(err)
	}
	write()
	write()
	if got := <-woken; got != "write" {
		t.Errorf("got %s, want write", got)
	}
	// Two wait for different things of one file, and the first has gone again.
	for who, events := range map[*Waiter]uint32{first: unix.IN_MODIFY, second: unix.IN_CLOSE_WRITE} {
		if err := w.Arm(path, events, who); err != nil {
			t.Fatal(err)
		}
	}
	w.Disarm(first)
	f.Close()
	if got := <-woken; got != "close" {
		t.Errorf("got %s, want close", got)
	}
	// That a file is gone is an event for all who wait.
	if err := w.Arm(path, unix.IN_MODIFY, first); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := <-woken; got != "write" {
		t.Errorf("got %s, want write", got)
	}
	if n := w.Armed(); n != 0 {
		t.Errorf("%d files are still waited for", n)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := w.Arm(path, unix.IN_MODIFY, first); err == nil || len(woken) > 0 {
		t.Errorf("a closed Watcher: got %v and %d more events", err, len(woken))
	}
}

// TestWatcherWithoutInotify is about a user who has no instance of inotify left.
func TestWatcherWithoutInotify(t *testing.T) {
	w := newWatcher(nil)
	path := filepath.Join(t.TempDir(), "f")
	woken := make(chan bool, 8)
	waiter := &Waiter{Wake: func() { woken <- true }}
	if err := w.Arm(path, unix.IN_MODIFY, waiter); !os.IsNotExist(err) {
		t.Errorf("a file that does not exist: got %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Arm(path, unix.IN_MODIFY, waiter); err != nil {
			t.Fatal(err)
		}
		<-woken
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}
