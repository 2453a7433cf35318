package disktest

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

func TestDiskFillsUp(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	name := filepath.Join(dir, "sub", "file")
	if err := errors.Join(os.Mkdir(filepath.Dir(name), 0o700), os.WriteFile(name, []byte("before"), 0o600)); err != nil {
		t.Fatal(err)
	}
	disk, err := Mount(dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(name); string(text) != "before" {
		t.Errorf("got %q, %v, want what was there before", text, err)
	}
	for range 2 {
		if err := disk.Fill(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name+"2", []byte("x"), 0o600); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("full: got %v", err)
		}
		if err := disk.Free(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name+"2", []byte("x"), 0o600); err != nil {
			t.Errorf("with room: got %v", err)
		}
		if err := os.Remove(name + "2"); err != nil {
			t.Error(err)
		}
	}
	if err := disk.Unmount(); err != nil {
		t.Error(err)
	}
}

func TestFaultyFails(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	mnt := filepath.Join(dir, "mnt")
	faulty, err := MountFaulty(mnt, filepath.Join(dir, "backing"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := faulty.Unmount(); err != nil {
			t.Error(err)
		}
	}()
	open, err := os.OpenFile(filepath.Join(mnt, "open"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	write := func() error { _, err := open.WriteString("a line\n"); return err }
	for _, c := range []struct {
		name  string
		fault syscall.Errno
		do    func() error
		want  error
	}{
		{"write", 0, write, nil},
		{"write, full", unix.ENOSPC, write, unix.ENOSPC},
		{"write, read-only", unix.EROFS, write, unix.EROFS},
		{"write again", 0, write, nil},
		{"create, full", unix.ENOSPC, func() error { return os.WriteFile(mnt+"/new", nil, 0o600) }, unix.ENOSPC},
		{"create, read-only", unix.EROFS, func() error { return os.WriteFile(mnt+"/new", nil, 0o600) }, unix.EROFS},
		{"mkdir, full", unix.ENOSPC, func() error { return os.Mkdir(mnt+"/dir", 0o700) }, unix.ENOSPC},
		{"rename, full", unix.ENOSPC, func() error { return os.Rename(mnt+"/open", mnt+"/renamed") }, nil},
		{"rename, read-only", unix.EROFS, func() error { return os.Rename(mnt+"/renamed", mnt+"/open") }, unix.EROFS},
		{"remove, read-only", unix.EROFS, func() error { return os.Remove(mnt + "/renamed") }, unix.EROFS},
		{"read, read-only", unix.EROFS, func() error { _, err := open.ReadAt(make([]byte, 14), 0); return err }, nil},
		{"past the end", 0, func() error { _, err := open.ReadAt(make([]byte, 1), 14); return err }, io.EOF},
		{"remove, full", unix.ENOSPC, func() error { return os.Remove(mnt + "/renamed") }, nil},
	} {
		if err := faulty.Fail(c.fault); err != nil {
			t.Fatal(err)
		}
		if err := c.do(); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	if err := faulty.Fail(0); err != nil {
		t.Error(err)
	}
}
