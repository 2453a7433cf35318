package api

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/host/rigs/wait"
)

// TestSocketIsRemade removes the API's socket, its directory, and puts a file in its
// place. Each time clients can connect again, and those that are connected stay.
func TestSocketIsRemade(t *testing.T) {
	dir := filepath.Join(shortDir(t), "d")
	l := mustListen(t, socketIn(dir))
	path := filepath.Join(dir, "davit.sock")
	accepted := make(chan net.Conn, 10)
	ended := make(chan error, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- conn
		}
	}()
	dial := func() (net.Conn, bool) {
		conn, err := net.Dial("unix", path)
		if err != nil {
			return nil, false
		}
		t.Cleanup(func() { conn.Close() })
		served := <-accepted
		t.Cleanup(func() { served.Close() })
		if _, err := served.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		return conn, true
	}
	first, ok := dial()
	if !ok {
		t.Fatal("cannot connect")
	}
	for name, remove := range map[string]func() error{
		"the socket":    func() error { return os.Remove(path) },
		"the directory": func() error { return os.Rename(dir, dir+".old") },
		"moved":         func() error { return os.Rename(path, path+".old") },
	} {
		if err := remove(); err != nil {
			t.Fatal(err)
		}
		wait.Until(t, name+" is there again", func() bool {
			_, ok := dial()
			return ok
		})
		wantMode(t, path, 0o600, os.Getegid())
	}
	buf := make([]byte, 2)
	if n, err := first.Read(buf); n != 1 || err != nil {
		t.Errorf("the first connection: got %d, %v", n, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("Accept goes on after Close")
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

// A host that ends leaves the socket of the one that has taken its place.
func TestCloseLeavesTheSocketOfAnother(t *testing.T) {
	dir := shortDir(t)
	l := mustListen(t, socketIn(dir)).(*listener)
	l.quit <- struct{}{} // it does not look any more
	<-l.done
	path := filepath.Join(dir, "davit.sock")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}
