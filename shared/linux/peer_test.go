package linux

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestPeerOf(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if pid, uid, err := PeerOf(conn.(*net.UnixConn)); err != nil || pid != os.Getpid() || uid != os.Geteuid() {
		t.Errorf("got process %d of user %d, %v", pid, uid, err)
	}
	_ = conn.Close()
	if _, _, err := PeerOf(conn.(*net.UnixConn)); err == nil {
		t.Error("of a closed connection: got no error")
	}
}
