package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/asexecutor"
)

// TestService is systemd for a host: it is told when the host is ready, reloads, works and
// stops, and passes it its socket.
func TestService(t *testing.T) {
	s := newSite(t)
	notify := filepath.Join(s.dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	told := make(chan string, 100)
	go func() {
		for text := make([]byte, 4096); ; {
			n, err := conn.Read(text)
			if err != nil {
				close(told)
				return
			}
			told <- strings.SplitN(string(text[:n]), "\n", 2)[0]
		}
	}()
	next := func() (state string) { // but for the watchdog's
		for state = range told {
			if state != "WATCHDOG=1" {
				break
			}
		}
		return state
	}
	if err := os.MkdirAll(filepath.Dir(s.socket), 0o700); err != nil {
		t.Fatal(err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	if err := os.Chmod(s.socket, 0o660); err != nil { // SocketMode=
		t.Fatal(err)
	}
	file, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	host := exec.Command("sh", "-c", `LISTEN_PID=$$ WATCHDOG_PID=$$ exec "$@"`, "sh", asexecutor.Path(t), "serve", "--config", s.config)
	host.Dir = s.dir
	host.Env = append(os.Environ(), asDavit+"=1", "NOTIFY_SOCKET="+notify, "WATCHDOG_USEC=400000", "LISTEN_FDS=1")
	host.ExtraFiles = []*os.File{file}
	log := &syncBuffer{}
	host.Stderr = log
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	file.Close()
	defer func() {
		if t.Failed() {
			t.Logf("log of the host:\n%s", log)
		}
		s.nothingRuns()
	}()
	if r := s.run("ps"); r.code != 0 { // it waits in the socket until the host is there
		t.Errorf("ps: %+v", r)
	}
	if got := next(); got != "READY=1" {
		t.Errorf("first it is told %q, want READY=1", got)
	}
	if info, err := os.Stat(filepath.Dir(s.socket)); err != nil || info.Mode().Perm() != 0o711 {
		t.Errorf("those who may connect cannot reach the socket: %v, %v", info.Mode(), err)
	}
	for range 3 {
		if got := <-told; got != "WATCHDOG=1" {
			t.Errorf("it is told %q, want WATCHDOG=1", got)
		}
	}
	for range 2 { // ends well, and badly
		s.run("reload")
		if first, second := next(), next(); first != "RELOADING=1" || second != "READY=1" {
			t.Errorf("at a reload it is told %q and %q", first, second)
		}
		s.write("nonsense")
	}
	if err := host.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := next(); got != "STOPPING=1" {
		t.Errorf("at the end it is told %q, want STOPPING=1", got)
	}
	if err := host.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.socket); err != nil {
		t.Errorf("the socket of systemd is gone: %v", err)
	}
}
