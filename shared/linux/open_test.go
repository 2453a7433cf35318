package linux

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOpenLooksAtTheTypeFirst(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(
		os.WriteFile(at("file"), []byte("text"), 0o600),
		unix.Mkfifo(at("fifo"), 0o600),
		os.Symlink("file", at("link")),
		os.Symlink("fifo", at("link-to-fifo")),
		os.Symlink("/etc", at("out")),
	); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		at("fifo"): ErrNotRegular, at("link-to-fifo"): ErrNotRegular, "/dev/null": ErrNotRegular,
		dir: unix.EISDIR, at("none"): fs.ErrNotExist, at("file"): nil, at("link"): nil,
	} {
		for _, flags := range []int{os.O_RDONLY, os.O_WRONLY, os.O_RDWR | os.O_APPEND} {
			f, err := Open(path, flags)
			if !errors.Is(err, want) {
				t.Errorf("%s with %x: got %v, want %v", path, flags, err, want)
			}
			if err == nil {
				f.Close()
			}
		}
	}
	if _, err := Open(at("fifo"), os.O_WRONLY|os.O_APPEND|os.O_CREATE); err == nil || !strings.Contains(err.Error(), "a FIFO, not a regular file") {
		t.Errorf("to make a file where a FIFO is: got %v", err)
	}
	if _, err := Open(at("link"), os.O_RDONLY|unix.O_NOFOLLOW); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a link: got %v, want ELOOP", err)
	}
	if _, err := OpenIn(dir, "out/hostname", os.O_RDONLY, unix.RESOLVE_BENEATH); !errors.Is(err, unix.EXDEV) {
		t.Errorf("out of the directory: got %v", err)
	}
	if _, err := OpenIn(dir, "fifo", os.O_RDONLY, unix.RESOLVE_BENEATH); !errors.Is(err, ErrNotRegular) {
		t.Errorf("a FIFO in the directory: got %v", err)
	}
	f, err := Open(at("new"), os.O_WRONLY|os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Mode() != 0o600 {
		t.Errorf("a new file: got %v, %v", info.Mode(), err)
	}
}

// TestOpenDevice makes sure that a device is never opened: this one would say that it
// does not exist.
func TestOpenDevice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "device")
	if err := unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(240, 99))); err != nil {
		t.Skip(err)
	}
	for _, flags := range []int{os.O_RDONLY, os.O_WRONLY | os.O_CREATE} {
		if _, err := Open(path, flags); !errors.Is(err, ErrNotRegular) {
			t.Errorf("got %v, want it refused unopened", err)
		}
	}
}

func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("12345678"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := ReadFile(path, 8); string(b) != "12345678" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Skip(err)
	}
	if _, err := ReadFile(path, 8); err == nil || !strings.Contains(err.Error(), "more than 8 bytes") {
		t.Errorf("a terabyte: got %v", err)
	}
}
