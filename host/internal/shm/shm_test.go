package shm

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// ownMounts gives the test a mount namespace of its own, on a thread that ends with it.
func ownMounts(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		t.Skip("no mounts here: ", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
}

func TestShm(t *testing.T) {
	ownMounts(t)
	d := In(t.TempDir())
	mount := func(fresh bool) {
		t.Helper()
		if err := d.Mount("a", 1<<20, fresh); err != nil {
			t.Fatal(err)
		}
	}
	mount(false)
	file := filepath.Join(d.Path("a"), "x")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Error("it is smaller than asked for: ", err)
	}
	if err := os.WriteFile(file+"2", make([]byte, 4096), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("it is larger than asked for: %v", err)
	}
	info, err := os.Stat(d.Path("a"))
	if err != nil || info.Mode()&(fs.ModeSticky|fs.ModePerm) != fs.ModeSticky|0o777 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	mount(false)
	if _, err := os.Stat(file); err != nil {
		t.Error("what is there was not kept: ", err)
	}
	mount(true)
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is not fresh: %v", err)
	}
	if err := d.Mount("b", 1<<20, true); err != nil {
		t.Fatal(err)
	}
	if err := d.Sweep(func(id string) bool { return id == "a" }); err != nil || !mounted(d.Path("a")) || mounted(d.Path("b")) {
		t.Errorf("swept are a: %v, b: %v, %v", !mounted(d.Path("a")), !mounted(d.Path("b")), err)
	}
	for range 2 {
		if err := d.Unmount("a"); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(d.Path("a"))); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}
