package e2e

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/realtest"
)

// download is a file that is being fetched from a published port.
type download struct {
	t    *testing.T
	body io.ReadCloser
	got  bytes.Buffer
}

// fetch begins to fetch a file. The connection is made by this thread, as no client of HTTP
// would: see [ownNetwork].
func fetch(t *testing.T, at, name string) *download {
	t.Helper()
	conn, err := net.DialTimeout("tcp", at, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(4 * time.Minute))
	if _, err := io.WriteString(conn, "GET /"+name+" HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return &download{t: t, body: resp.Body}
}

// read reads some more, or all that is left.
func (d *download) read(n int64) {
	d.t.Helper()
	if _, err := io.CopyN(&d.got, d.body, n); err != nil && n > 0 {
		d.t.Fatalf("after %d bytes: %v", d.got.Len(), err)
	}
}

// finish reads what is left, and checks that all is as it was sent.
func (d *download) finish(want []byte) {
	d.t.Helper()
	if _, err := io.Copy(&d.got, d.body); err != nil || !bytes.Equal(d.got.Bytes(), want) {
		d.t.Errorf("got %d bytes, %v; want the %d of the file", d.got.Len(), err, len(want))
	}
}

// open reports whether somebody listens at an address.
func open(at string) bool {
	c, err := net.DialTimeout("tcp", at, 10*time.Second)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// TestPublishedPorts has a web server on each of two backends, from which six clients
// download when host, executors and containerd are killed. In `make matrix` there are twenty.
func TestPublishedPorts(t *testing.T) {
	need(t, debian)
	ownNetwork(t)
	backends := []string{"shim", "containerd"}
	s := newSite(t, "default_backend = \"shim\"", "backend \"shim\" {\n  executor = \"shim\"\n}\n", containerdBackend("containerd", debian, ""))
	const size = 8 << 20
	clients := 3 // of each backend
	if realtest.Matrix() {
		clients = 10
	}
	file := make([]byte, size)
	if _, err := rand.Read(file); err != nil {
		t.Fatal(err)
	}
	www := t.TempDir()
	if err := os.WriteFile(filepath.Join(www, "file"), file, 0o644); err != nil {
		t.Fatal(err)
	}
	httpd := []string{"-v", www + ":/www:ro", "--rootfs", rootfs, "busybox", "httpd", "-f", "-h", "/www"}
	at, downloads := map[string]string{}, map[string][]*download{}
	for _, b := range backends {
		s.must(append([]string{"run", "-d", "--name", b, "--backend", b, "-p", "127.0.0.1:0:80"}, httpd...)...)
		at[b] = s.must("port", b, "80")
		s.waitFor("the server listens", func() bool { return s.run("exec", b, "busybox", "wget", "-qO-", "http://127.0.0.1/file").code == 0 })
		fetch(t, at[b], "file").finish(file)
		for range clients {
			d := fetch(t, at[b], "file")
			d.read(size / 4)
			downloads[b] = append(downloads[b], d)
		}
	}
	victims := []int{processWith(t, "/containerd\x00--config\x00"+s.dir)}
	for _, b := range s.backends() {
		victims = append(victims, b.PID)
	}
	for _, pid := range victims {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	s.kill()
	for _, b := range backends {
		for _, d := range downloads[b] {
			d.read(size / 4)
		}
		fetch(t, at[b], "file").finish(file)
	}
	s.start()
	for _, b := range backends {
		s.waitBackend(b)
		for _, d := range downloads[b] {
			d.finish(file)
		}
		if now := s.must("port", b); now != "80/tcp -> "+at[b] {
			t.Errorf("%s is at %s under the next host, before at %s", b, now, at[b])
		}
		s.must("restart", "-t", "0", b)
		if now := s.must("port", b, "80/tcp"); now != at[b] {
			t.Errorf("%s is at %s after a restart, before at %s", b, now, at[b])
		}
		s.waitFor("the server listens again", func() bool { return s.run("exec", b, "busybox", "wget", "-qO-", "http://127.0.0.1/file").code == 0 })
		fetch(t, at[b], "file").finish(file)
		want := fmt.Sprintf("port %s/tcp of the machine cannot be published: it is in use by container %s;", at[b], b)
		if r := s.run(append([]string{"run", "-d", "-p", at[b] + ":80"}, httpd...)...); r.code != 125 || !strings.Contains(r.stderr, want) {
			t.Errorf("a port that is taken: got %+v\nwant %s", r, want)
		}
	}
	if ps := s.must("ps"); strings.Count(ps, "->80/tcp") != len(backends) || !strings.Contains(ps, at["shim"]+"->80/tcp") {
		t.Errorf("ps:\n%s", ps)
	}
	s.must("stop", "-t", "0", "shim")
	s.must("rm", "-f", "containerd")
	for _, b := range backends {
		if open(at[b]) {
			t.Errorf("port %s of %s, which has ended, is open", at[b], b)
		}
	}
	if r := s.run("port", "shim", "80"); r.code != 1 || !strings.Contains(r.stderr, "container shim is exited, and publishes its ports while it runs") {
		t.Errorf("the port of a container that has ended: got %+v", r)
	}
	startOnTakenPort(s, at["shim"], httpd)
	s.must("start", "shim")
	if now := s.must("port", "shim", "80"); now != at["shim"] {
		t.Errorf("shim is at %s after a stop, before at %s", now, at["shim"])
	}
	s.must("rm", "-f", "shim")
	s.must("network", "prune", "-f")
	if left, err := os.ReadDir(filepath.Join(s.dir, "run/ports")); err != nil || len(left) > 0 {
		t.Errorf("there are holders left: %v, %v", left, err)
	}
}

// startOnTakenPort starts a container whose port somebody else has taken since it was stopped.
// It fails, and nothing of it is left once it is removed.
func startOnTakenPort(s *site, at string, httpd []string) {
	s.t.Helper()
	s.must(append([]string{"run", "-d", "--name", "fixed", "-p", at + ":80"}, httpd...)...)
	s.must("stop", "-t", "0", "fixed")
	l, err := net.Listen("tcp", at)
	if err != nil {
		s.t.Fatal(err)
	}
	if r := s.run("start", "fixed"); r.code != 1 || !strings.Contains(r.stderr, "it is in use by \"e2e.test\" (pid ") {
		s.t.Errorf("a start on a port that is taken: got %+v", r)
	}
	_ = l.Close()
	s.must("rm", "fixed")
	s.kill()
	s.start()
	s.waitBackend("shim")
	if got := s.must("ps", "-a", "--format", "{{.Name}}"); got != "shim" {
		s.t.Errorf("there are the containers %q", got)
	}
}
