package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/certificates"
)

// lockedBuffer is a buffer that a process writes and a test reads.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestOverTCP uses a host over TCP with TLS: all kinds of streams, and over its death.
func TestOverTCP(t *testing.T) {
	need(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	certs := t.TempDir()
	authority := certificates.New(t, "CA")
	authority.Write(certs+"/host", certificates.Host("host"))
	authority.Write(certs+"/alice", certificates.Client("alice"))
	certificates.New(t, "another").Write(certs+"/mallory", certificates.Client("mallory"))
	s := newSite(t, fmt.Sprintf(`api {
  tls {
    listen      = %q
    certificate = "%[2]s/cert.pem"
    key         = "%[2]s/key.pem"
    client_ca   = "%[2]s/ca.pem"
  }
}
backend "bare" { executor = "shim" }
`, address, certs+"/host"))
	remote := func(args ...string) []string {
		return append([]string{"--host", "tcp://" + address, "--tls-dir", certs + "/alice"}, args...)
	}
	sent := make([]byte, 4<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(sent)
	echoed := func(what string, r result) {
		t.Helper()
		if r.code != 0 || sha256.Sum256([]byte(r.stdout)) != sha256.Sum256(sent) {
			t.Errorf("%s: got %d bytes of %d, code %d, %s", what, len(r.stdout), len(sent), r.code, r.stderr)
		}
	}
	echoed("run -i", s.withInput(bytes.NewReader(sent), remote("run", "-i", "--rm", "--rootfs", rootfs, "cat")...))
	if r := s.run(remote("run", "--rm", "--rootfs", rootfs, "sh", "-c", "echo out; echo err >&2; exit 7")...); r != (result{"out\n", "err\n", 7}) {
		t.Errorf("run: got %+v", r)
	}
	events := s.command(remote("events", "-f", "--format", "json")...)
	var happened lockedBuffer
	events.Stdout = &happened
	if err := events.Start(); err != nil {
		t.Fatal(err)
	}
	id := s.must(remote("run", "-d", "--rootfs", rootfs+":O", "sh", "-c", "while ! [ -e /tmp/go ]; do echo $((n=n+1)); sleep 0.05; done; exit 5")...)
	echoed("exec -i", s.withInput(bytes.NewReader(sent), remote("exec", "-i", id, "cat")...))
	if r := s.withInput(bytes.NewReader(sent), remote("exec", "-i", id, "sh", "-c", "cat >/tmp/sent")...); r.code != 0 {
		t.Errorf("exec -i into a file: %+v", r)
	}
	if r := s.run(remote("cp", id+":/tmp/sent", certs+"/received")...); r.code != 0 {
		t.Errorf("cp: %+v", r)
	}
	if got, err := os.ReadFile(certs + "/received"); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("cp: got %d bytes, %v", len(got), err)
	}
	if r := s.run(remote("cp", certs+"/received", id+":/tmp/back")...); r.code != 0 {
		t.Errorf("cp back: %+v", r)
	}
	echoed("cp back", s.run(remote("exec", id, "cat", "/tmp/back")...))
	at := s.atTerminal(remote("exec", "-it", id, "sh", "-c", "echo at $(stty size); read x; echo got $x")...)
	at.see("at 24 80")
	at.press("word\r")
	at.see("got word")
	if code := at.end(); code != 0 {
		t.Errorf("exec -it ended with %d", code)
	}
	attached, logs := s.command(remote("attach", id)...), s.command(remote("logs", "-f", id)...)
	var fromAttach, fromLogs lockedBuffer
	attached.Stdout, logs.Stdout = &fromAttach, &fromLogs
	for _, c := range []interface{ Start() error }{attached, logs} {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	s.waitFor("both have output", func() bool { return fromLogs.String() != "" && fromAttach.String() != "" })
	// The host dies, and another one comes.
	s.kill()
	s.start()
	s.must(remote("exec", id, "touch", "/tmp/go")...)
	_ = attached.Wait()
	_ = logs.Wait()
	if code := attached.ProcessState.ExitCode(); code != 5 {
		t.Errorf("attach: code %d, %q", code, fromAttach.String())
	}
	all := s.must("logs", id) + "\n"
	if fromLogs.String() != all {
		t.Errorf("logs -f: %q, want %q", fromLogs.String(), all)
	}
	if !strings.HasSuffix("\n"+all, "\n"+fromAttach.String()) {
		t.Errorf("attach: %q, which is not the end of %q", fromAttach.String(), all)
	}
	s.waitFor("the events have the end", func() bool { return strings.Contains(happened.String(), `"container.exited"`) })
	_ = events.Process.Signal(syscall.SIGINT)
	_ = events.Wait()

	authority.Write(certs+"/mixed", certificates.Client("alice"))
	if err := os.Rename(certs+"/mallory/ca.pem", certs+"/mixed/ca.pem"); err != nil {
		t.Fatal(err)
	}
	authority.Write(certs+"/bob", certificates.Client("bob"))
	if err := os.Rename(certs+"/bob/ca.pem", certs+"/mallory/ca.pem"); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"the davit host at " + address + " refuses this client: its client_ca, ":                                                                          {"--host", "tcp://" + address, "--tls-dir", certs + "/mallory"},
		"davit: the davit host at " + address + " is not trusted: ":                                                                                       {"--host", "https://" + address, "--tls-dir", certs + "/mixed"},
		"a host cannot be reached by http://" + address:                                                                                                   {"--host", "http://" + address, "--tls-dir", certs + "/alice"},
		"davit: cannot connect to tcp://" + address + ": client certificate: " + certs + "/nobody/cert.pem: no such file or directory; name a directory ": {"--host", "tcp://" + address, "--tls-dir", certs + "/nobody"},
	} {
		if r := s.run(append(args, "ps")...); r.code != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("got %+v, want %s", r, want)
		}
	}
	log, _ := os.ReadFile(s.log.Name())
	for _, want := range []string{"client=alice", "claims_to_be=mallory"} {
		if !bytes.Contains(log, []byte(want)) {
			t.Errorf("the log has no %s", want)
		}
	}
}
