package api

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

func mustListen(t *testing.T, at Socket) net.Listener {
	t.Helper()
	l, err := Listen(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// killable returns a socket that stays when it is closed, as that of a host that is
// killed.
func killable(t *testing.T, at Socket) net.Listener {
	t.Helper()
	l, err := bind(at, answerTime)
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	return l
}

// wantMode checks the mode and group of a file.
func wantMode(t *testing.T, path string, mode fs.FileMode, gid int) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != mode {
		t.Errorf("%s has mode %o, want %o", path, got, mode)
	}
	if got := int(info.Sys().(*syscall.Stat_t).Gid); got != gid {
		t.Errorf("%s has group %d, want %d", path, got, gid)
	}
}

// group returns a group other than our own.
func group(t *testing.T) (string, int) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files to a group")
	}
	const name = "daemon"
	gid, err := lookUpGroup(name)
	if err != nil {
		t.Fatal(err)
	}
	return name, gid
}

func TestListenModes(t *testing.T) {
	old := syscall.Umask(0) // the worst
	defer syscall.Umask(old)
	own := os.Getegid()
	t.Run("alone", func(t *testing.T) {
		run := filepath.Join(shortDir(t), "a", "run")
		mustListen(t, socketIn(run))
		wantMode(t, run, 0o700, own)
		wantMode(t, filepath.Join(run, "davit.sock"), 0o600, own)
	})
	t.Run("with a group", func(t *testing.T) {
		name, gid := group(t)
		run := filepath.Join(shortDir(t), "run")
		if err := os.Mkdir(run, 0o700); err != nil {
			t.Fatal(err)
		}
		mustListen(t, Socket{Path: filepath.Join(run, "davit.sock"), RunDir: run, Group: name})
		wantMode(t, run, 0o750, gid)
		wantMode(t, filepath.Join(run, "davit.sock"), 0o660, gid)
	})
	t.Run("in a directory of others", func(t *testing.T) {
		name, gid := group(t)
		dir := shortDir(t)
		socket := filepath.Join(dir, "s")
		mustListen(t, Socket{Path: socket, RunDir: filepath.Join(dir, "run"), Group: name})
		wantMode(t, dir, 0o700, own)
		wantMode(t, socket, 0o660, gid)
	})
	t.Run("unknown group", func(t *testing.T) {
		_, err := Listen(Socket{Path: filepath.Join(shortDir(t), "s"), Group: "no-such-group"})
		if !errors.Is(err, executor.NotFound) {
			t.Errorf("got %v, want not found", err)
		}
	})
}

func TestListenAgain(t *testing.T) {
	at := socketIn(shortDir(t))
	socket := at.Path
	first := killable(t, at)
	if _, err := listen(at, 0); !errors.Is(err, executor.FailedPrecondition) || !strings.Contains(err.Error(), "another host answers at "+socket) {
		t.Errorf("beside a host: got %v", err)
	}
	first.Close()
	if _, err := os.Stat(socket); err != nil {
		t.Fatal(err)
	}
	second := mustListen(t, at)
	second.Close()
	if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there after Close: %v", err)
	}
	if err := os.WriteFile(socket, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(at); !errors.Is(err, executor.FailedPrecondition) {
		t.Errorf("on a file: got %v", err)
	}
	if data, err := os.ReadFile(socket); string(data) != "precious" {
		t.Errorf("the file was touched: %q, %v", data, err)
	}
	at.Path = filepath.Join(at.RunDir, strings.Repeat("x", 100))
	if _, err := Listen(at); !errors.Is(err, executor.Invalid) {
		t.Errorf("long path: got %v", err)
	}
}

// TestOneOfManyListens starts many hosts at a stale socket.
func TestOneOfManyListens(t *testing.T) {
	at := socketIn(shortDir(t))
	for range 50 {
		stale := killable(t, at)
		stale.Close()
		var won atomic.Int32
		var wg sync.WaitGroup
		var listener net.Listener
		for range 4 {
			wg.Go(func() {
				if l, err := listen(at, 0); err == nil {
					won.Add(1)
					listener = l
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d of 4 listen, want one", won.Load())
		}
		listener.Close()
	}
}
