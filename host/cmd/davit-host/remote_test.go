package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/rigs/certificates"
)

// tlsBlock returns a config of the API over TCP, with files in a directory of the site.
func tlsBlock(address, dir string) string {
	return fmt.Sprintf("api {\n  tls {\n    listen = %q\n    certificate = \"%[2]s/cert.pem\"\n    key = \"%[2]s/key.pem\"\n    client_ca = \"%[2]s/ca.pem\"\n  }\n}\n", address, dir)
}

// TestRemote reloads a host that serves the API over TCP.
func TestRemote(t *testing.T) {
	s := newSite(t)
	authority := certificates.New(t, "CA")
	authority.Write(filepath.Join(s.dir, "one"), certificates.Host("host"))
	authority.Write(filepath.Join(s.dir, "two"), certificates.Host("host"))
	authority.Write(filepath.Join(s.dir, "client"), certificates.Client("alice"))
	other := certificates.New(t, "another CA")
	other.Write(filepath.Join(s.dir, "other"), certificates.Host("host"))
	address := freeAddress(t)
	backend := reloadBase + "backend \"a\" { executor = \"memory\" }\n"
	s.write(backend + tlsBlock(address, "one"))
	s.want(0, s.config+" is valid: 1 backend\n", "", "validate", "-c", s.config)
	h := s.serve()
	remote := []string{"--host", "tcp://" + address, "--tls-dir", filepath.Join(s.dir, "client")}
	ps := func(code int, want string) {
		t.Helper()
		if r := s.run(append(remote, "ps", "-q")...); r.code != code || !strings.Contains(r.stderr, want) {
			t.Errorf("got %+v, want code %d and %s", r, code, want)
		}
	}
	ps(0, "")
	s.want(0, "nothing has changed\n", "", "reload")
	s.write(backend + tlsBlock(address, "two"))
	s.want(0, "api.tls: changed (for new connections), "+s.config+":8,3\n", "", append(remote, "reload")...)
	ps(0, "")
	s.want(0, "nothing has changed\n", "", "reload")
	// Files that are renewed in their place.
	authority.Write(filepath.Join(s.dir, "two"), certificates.Host("host"))
	s.want(0, "api.tls: changed (for new connections), "+s.config+":8,3\n", "", "reload")
	// A config whose files cannot be used changes nothing.
	s.write(backend + tlsBlock(address, "three"))
	s.want(1, "", "davit: "+s.config+":8,3: api.tls: lstat "+s.dir+"/three: no such file or directory\n", "reload")
	ps(0, "")
	// Another CA: it holds for new connections.
	s.write(backend + tlsBlock(address, "other"))
	s.want(0, "api.tls: changed (for new connections), "+s.config+":8,3\n", "", "reload")
	ps(1, "is not trusted: its certificate, of CN=host, is not signed by the CA that this client knows")
	s.write(backend + tlsBlock("127.0.0.1:1", "two"))
	s.want(0, "api.tls.listen: needs a restart of the host ("+address+" to 127.0.0.1:1), "+s.config+":8,3\napi.tls: changed (for new connections), "+s.config+":8,3\n", "", "reload")
	ps(0, "")
	s.write(backend)
	s.want(0, "api.tls: needs a restart of the host ("+address+" to none), "+s.config+"\n", "", "reload")
	ps(0, "")
	h.end(t, os.Interrupt)
	h = s.serve()
	ps(1, "nothing listens there")
	s.write(backend + tlsBlock(address, "two"))
	s.want(0, "api.tls: needs a restart of the host (none to "+address+"), "+s.config+":8,3\n", "", "reload")
	h.end(t, os.Interrupt)
	if !h.cmd.ProcessState.Success() {
		t.Errorf("the host ended with %v", h.cmd.ProcessState)
	}
}

// TestValidateRemote checks files of the API over TCP.
func TestValidateRemote(t *testing.T) {
	s := newSite(t)
	authority := certificates.New(t, "CA")
	soon := certificates.Host("host")
	soon.NotBefore, soon.NotAfter = time.Now().Add(-40*24*time.Hour), time.Now().Add(48*time.Hour)
	authority.Write(filepath.Join(s.dir, "soon"), soon)
	backend := reloadBase + "backend \"a\" { executor = \"memory\" }\n"
	at := s.config + ":8,3: "
	for _, tt := range []struct {
		config     string
		code       int
		out, wants string
	}{
		{tlsBlock("127.0.0.1:7443", "soon"), 0, s.config + " is valid: 1 backend\n", "warning: api.tls: " + s.dir + "/soon/cert.pem expires at " + soon.NotAfter.UTC().Format("2006-01-02 15:04 MST") + "; renew it"},
		{tlsBlock("127.0.0.1:7443", "nothing"), 1, "", at + "api.tls: lstat " + s.dir + "/nothing: no such file or directory"},
		{tlsBlock("build1:7443", "soon"), 1, "", s.config + `:9,5: api.tls.listen: "build1" is not an IP address`},
		{"api {\n  tls { }\n}\n", 1, "", at + "api.tls has no listen"},
		{"api {\n  tls { }\n}\n", 1, "", at + "api.tls has no client_ca"},
		{"api {\n  tls {\n    listen = \"0.0.0.0:7443\"\n  }\n}\n", 1, "", at + "api.tls has no certificate"},
		{"api {\n  listen = \"0.0.0.0:7443\"\n}\n", 1, "", `unknown attribute "listen" in api`},
	} {
		s.write(backend + tt.config)
		r := s.run("validate", "-c", s.config)
		if r.code != tt.code || r.stdout != tt.out || !strings.Contains(r.stderr, tt.wants) {
			t.Errorf("%s\ngot %+v\nwant %s", tt.config, r, tt.wants)
		}
		if tt.code != 0 {
			if r := s.run("serve", "-c", s.config); r.code == 0 {
				t.Errorf("%s\nserve: got %+v", tt.config, r)
			}
		}
	}
}

// TestTLSPage makes certificates with the commands of the page, and uses them.
func TestTLSPage(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("needs openssl")
	}
	page := readFile(t, "../davit/tls.md")
	dir := t.TempDir()
	commands := 0
	for line := range strings.Lines(page) {
		if line, ok := strings.CutPrefix(line, "    openssl "); ok {
			commands++
			cmd := exec.Command("sh", "-c", "openssl "+line)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("openssl %s: %v\n%s", line, err, out)
			}
		}
	}
	if commands != 3 {
		t.Errorf("the page has %d commands of openssl, want 3", commands)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, file := range []string{"ca.pem", "host-cert.pem", "host-key.pem"} {
		if err := os.Chmod(in(file), 0o600); err != nil { // as install does
			t.Fatal(err)
		}
	}
	host := api.TLSFiles{Certificate: in("host-cert.pem"), Key: in("host-key.pem"), CA: in("ca.pem")}
	if doubts, err := host.CheckHost(); len(doubts) > 0 || err != nil {
		t.Errorf("the host's files: %q, %v", doubts, err)
	}
	s := newSite(t)
	address := freeAddress(t)
	s.write(reloadBase + "backend \"a\" { executor = \"memory\" }\n" + fmt.Sprintf("api {\n  tls {\n    listen = %q\n    certificate = %q\n    key = %q\n    client_ca = %q\n  }\n}\n", address, host.Certificate, host.Key, host.CA))
	s.serve()
	s.want(0, "", "", "--host", "tcp://"+address, "--tls-dir", dir, "ps", "-q")
}
