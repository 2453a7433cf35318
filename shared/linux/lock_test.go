package linux

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, second := open(t, path), open(t, path)
	if err := Lock(first, 0); err != nil {
		t.Fatal(err)
	}
	err := Lock(second, 0)
	held, ok := errors.AsType[*LockedError](err)
	if !ok || !errors.Is(err, unix.EWOULDBLOCK) || !strings.Contains(err.Error(), path) {
		t.Fatalf("a second time: got %v", err)
	}
	if want := fmt.Sprintf(" (pid %d)", os.Getpid()); held.Holder() != want {
		t.Errorf("holder: got %q, want %q", held.Holder(), want)
	}
	go func() {
		time.Sleep(30 * time.Millisecond)
		_ = first.Close()
	}()
	if err := Lock(second, time.Minute); err != nil {
		t.Errorf("after the first was closed: %v", err)
	}
	if got := held.Holder(); got != fmt.Sprintf(" (pid %d)", os.Getpid()) { // of whoever has it now
		t.Errorf("holder: got %q", got)
	}
	_ = second.Close()
	if got := held.Holder(); got != "" {
		t.Errorf("holder of a lock that nobody has: got %q", got)
	}
}

// TestHolderIsOfTheSameDevice: the inode alone does not identify a file, since
// another file system may have a locked file of the same number.
func TestHolderIsOfTheSameDevice(t *testing.T) {
	file := unix.Stat_t{Dev: unix.Mkdev(0xfe, 1), Ino: 12}
	lock := func(kind string, pid int, device string) string {
		return fmt.Sprintf("1: %s  ADVISORY  WRITE %d %s 0 EOF\n", kind, pid, device)
	}
	for _, tt := range []struct{ name, locks, want string }{
		{"nothing", "", ""},
		{"the file", lock("FLOCK", 4242, "fe:01:12"), "4242"},
		{"another device first", lock("FLOCK", 1, "00:1f:12") + lock("FLOCK", 4242, "fe:01:12"), "4242"},
		{"a device that stat does not show", lock("FLOCK", 4242, "00:1f:12"), "4242"},
		{"two such devices", lock("FLOCK", 1, "00:1f:12") + lock("FLOCK", 2, "00:20:12"), ""},
		{"an inode that ends alike", lock("FLOCK", 1, "fe:01:112"), ""},
		{"another kind of lock", lock("POSIX", 1, "fe:01:12"), ""},
		{"a process of another namespace", lock("FLOCK", 0, "fe:01:12"), ""},
		{"somebody who waits", "1: -> FLOCK  ADVISORY  WRITE 1 fe:01:12 0 EOF\n", ""},
	} {
		if got := holder(tt.locks, file); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
