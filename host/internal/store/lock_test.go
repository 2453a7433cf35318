package store

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/shared/executor"
)

func TestSecondOwnerIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := openAt(t, path, Options{})
	_, err := Open(path, Options{})
	if !errors.Is(err, executor.FailedPrecondition) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("second Open: %v; want failed precondition, the path and the pid", err)
	}
	mustUpdate(t, s, create("one")) // the first is not disturbed
	mustClose(t, s)
	mustClose(t, openAt(t, path, Options{}))
	mustClose(t, s) // again
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"no directory":      filepath.Join(dir, "missing", "state.db"),
		"is a directory":    dir,
		"is a fifo":         fifo,
		"path is too long":  filepath.Join(dir, strings.Repeat("x", 300)),
		"path holds a zero": filepath.Join(dir, "a\x00b"),
	} {
		if s, err := Open(path, Options{}); err == nil {
			t.Errorf("%s: opened", name)
			s.Close()
		}
	}
}

func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can mount")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("no tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "state.db")
	s := openAt(t, path, Options{})
	mustUpdate(t, s, create("one"))
	ballast := filepath.Join(dir, "ballast")
	_ = os.WriteFile(ballast, make([]byte, 4<<20), 0o600) // fails when it is full

	big := func(tx *Tx) error { return tx.CreateContainer(sample("big"), make([]byte, 1<<20)) }
	for range 3 {
		if err := s.Update(t.Context(), big); !errors.Is(err, executor.Unavailable) || !errors.Is(err, unix.ENOSPC) {
			t.Errorf("Update on a full disk: %v, want unavailable and no space", err)
		}
	}
	mustView(t, s, func(tx *Tx) error { _, err := tx.Container("one"); return err })
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	mustUpdate(t, s, big)
	want := contentsOf(t, s)
	mustClose(t, s)
	s = openAt(t, path, Options{})
	if got := contentsOf(t, s); s.Info().Damage != nil || len(got) != len(want) {
		t.Errorf("after reopening: %d records of %d, %v", len(got), len(want), s.Info().Damage)
	}
	mustClose(t, s) // before the unmount
}
