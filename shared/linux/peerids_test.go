package linux

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// TestPeerIDs has this program connect once more, as another user with many groups.
func TestPeerIDs(t *testing.T) {
	if socket := os.Getenv("PEER_SOCKET"); socket != "" {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Read(make([]byte, 1)) // until the other side has seen it
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir, err := os.MkdirTemp("", "dv") // whose parents others may pass
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	program, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "test"), program, 0o755)
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		err = os.Chmod(socket, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	var groups []uint32
	var want []int
	for gid := range 100 {
		groups, want = append(groups, uint32(70000+gid)), append(want, 70000+gid)
	}
	cmd := exec.Command(filepath.Join(dir, "test"), "-test.run", "^TestPeerIDs$")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PEER_SOCKET="+socket)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 61234, Gid: 61235, Groups: groups}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ids, err := PeerIDs(conn.(*net.UnixConn))
	if err != nil || ids.UID != 61234 || ids.GID != 61235 || !slices.Equal(ids.Groups, want) {
		t.Errorf("got %+v, %v", ids, err)
	}
	_ = conn.Close()
	if _, err := PeerIDs(conn.(*net.UnixConn)); err == nil {
		t.Error("of a closed connection: got no error")
	}
}
