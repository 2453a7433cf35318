package api

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/certificates"
	"github.com/davit-run/davit/shared/executor"
)

// filesIn returns the files that an authority has written to dir.
func filesIn(dir string) TLSFiles {
	return TLSFiles{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), CA: filepath.Join(dir, "ca.pem")}
}

// loggedLines keeps what is logged.
type loggedLines struct {
	mu    sync.Mutex
	lines []string
}

func (j *loggedLines) add(level, message string, pairs []any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	line := level + " " + message
	for i := 0; i+1 < len(pairs); i += 2 {
		line += fmt.Sprintf(" %v=%v", pairs[i], pairs[i+1])
	}
	j.lines = append(j.lines, line)
}

func (j *loggedLines) Debug(m string, pairs ...any) { j.add("debug", m, pairs) }
func (j *loggedLines) Info(m string, pairs ...any)  { j.add("info", m, pairs) }
func (j *loggedLines) Warn(m string, pairs ...any)  { j.add("warn", m, pairs) }
func (j *loggedLines) Error(m string, pairs ...any) { j.add("error", m, pairs) }

func (j *loggedLines) has(line string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.lines {
		if strings.Contains(l, line) {
			return true
		}
	}
	return false
}

// overTLS is a host that is served over TCP, and the authority of its certificates.
type overTLS struct {
	t         *testing.T
	dir       string
	authority *certificates.Authority
	listener  *TLSListener
	log       *loggedLines
	address   string
}

func serveTLS(t *testing.T, f *fake, cert *x509.Certificate) *overTLS {
	t.Helper()
	s := &overTLS{t: t, dir: shortDir(t), authority: certificates.New(t, "davit test CA"), log: &loggedLines{}}
	s.authority.Write(s.path("host"), cert)
	var err error
	s.listener, err = ListenTLS(t.Context(), TLSSocket{Address: "127.0.0.1:0", Files: filesIn(s.path("host")), Logger: s.log})
	if err != nil {
		t.Fatal(err)
	}
	s.address = s.listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Serve(ctx, s.listener, f, Options{Version: Version{Version: "1.2.3"}, Logger: s.log})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		if t.Failed() {
			t.Log(strings.Join(s.log.lines, "\n"))
		}
	})
	return s
}

func (s *overTLS) path(name string) string { return filepath.Join(s.dir, name) }

// client returns a client with a certificate that an authority has signed.
func (s *overTLS) client(authority *certificates.Authority, cert *x509.Certificate) *Client {
	s.t.Helper()
	dir, err := os.MkdirTemp(s.dir, "client")
	if err != nil {
		s.t.Fatal(err)
	}
	authority.Write(dir, cert)
	files := filesIn(dir)
	files.CA = s.path("host/ca.pem")
	return s.clientOf(s.address, files.ClientConfig)
}

func (s *overTLS) clientOf(address string, config func() (*tls.Config, error)) *Client {
	c := NewTLSClient(address, config)
	s.t.Cleanup(c.Close)
	return c
}

func TestTLS(t *testing.T) {
	s := serveTLS(t, &fake{
		list: func() ([]Container, error) { return []Container{{ID: "c1"}}, nil },
		kill: func(context.Context, string, executor.Signal) error { return nil },
		archive: func(context.Context, string, io.Writer, io.Reader) error {
			return executor.Errorf(executor.Unsupported, "no profiles")
		},
	}, certificates.Host("host"))
	c := s.client(s.authority, certificates.Client("ci-runner"))
	if all, err := c.List(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("got %v, %v", all, err)
	}
	if err := c.Kill(t.Context(), "c1", 15); err != nil {
		t.Error(err)
	}
	if want := "info request method=POST path=/v1/containers/c1/kill status=204 took="; !s.log.has(want) || !s.log.has(" client=ci-runner") {
		t.Errorf("there is no %q with client=ci-runner", want)
	}
	// It counts as root, and so it gets as far as the host, which has no profiles.
	if err := c.Profile(t.Context(), "heap", ProfileOptions{}, io.Discard); !errors.Is(err, executor.Unsupported) {
		t.Errorf("profile: got %v", err)
	}
	conn, err := c.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if state := conn.(*tls.Conn).ConnectionState(); state.Version != tls.VersionTLS13 {
		t.Errorf("TLS is of version %x", state.Version)
	}
}

func TestTLSRefusesClients(t *testing.T) {
	s := serveTLS(t, &fake{}, certificates.Host("host"))
	past := certificates.Client("late")
	past.NotBefore, past.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	early := certificates.Client("early")
	early.NotBefore, early.NotAfter = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
	other := certificates.New(t, "another CA")
	at := "the davit host at " + s.address
	s.authority.Write(s.path("good"), certificates.Client("good"))
	good := filesIn(s.path("good"))
	with := func(change func(*TLSFiles)) *Client {
		f := good
		change(&f)
		return s.clientOf(s.address, f.ClientConfig)
	}
	bare := func() (*tls.Config, error) {
		config, err := good.ClientConfig()
		if err == nil {
			config.GetClientCertificate = nil
		}
		return config, err
	}
	expired := func() (*tls.Config, error) { // a client whose own clock is wrong
		s.authority.Write(s.path("expired"), past)
		own, err := tls.LoadX509KeyPair(s.path("expired/cert.pem"), s.path("expired/key.pem"))
		config, _ := good.ClientConfig()
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
		return config, err
	}
	old := func() (*tls.Config, error) {
		config, err := good.ClientConfig()
		config.MinVersion, config.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
		return config, err
	}
	text := s.path("text")
	if err := os.WriteFile(text, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.authority.Write(s.path("other key"), certificates.Client("other"))
	for name, tt := range map[string]struct {
		c    *Client
		want string
	}{
		"no certificate":    {s.clientOf(s.address, bare), at + " refuses this client: it wants a client certificate, and there is none"},
		"wrong CA":          {s.client(other, certificates.Client("stranger")), at + " refuses this client: its client_ca, in api { tls { } } of its config, has not signed the certificate of this client"},
		"a host's":          {s.client(s.authority, certificates.Host("host2")), at + " refuses this client: the certificate of this client is not good for that; its extendedKeyUsage must have clientAuth"},
		"expired, it knows": {s.client(s.authority, past), "/cert.pem has expired, at "},
		"too early":         {s.client(s.authority, early), "/cert.pem is not valid before "},
		"expired":           {s.clientOf(s.address, expired), at + " refuses this client: the certificate of this client has expired, or one of its CA has"},
		"host of wrong CA": {with(func(f *TLSFiles) {
			other.Write(s.path("other"), certificates.Client("x"))
			f.CA = s.path("other/ca.pem")
		}), at + " is not trusted: its certificate, of CN=host, is not signed by the CA that this client knows"},
		"old TLS":       {s.clientOf(s.address, old), "tls"},
		"no file":       {with(func(f *TLSFiles) { f.Key += "x" }), "client certificate: " + good.Key + "x: no such file or directory"},
		"no CA":         {with(func(f *TLSFiles) { f.CA = "" }), "CA of the host's certificate: "},
		"no PEM":        {with(func(f *TLSFiles) { f.CA = text }), "CA of the host's certificate: " + text + ": this is not PEM"},
		"another's key": {with(func(f *TLSFiles) { f.Key = s.path("other key/key.pem") }), good.Certificate + " and " + s.path("other key/key.pem") + ": "},
		"no port":       {s.clientOf("localhost", good.ClientConfig), `"localhost" is not an address with a port, such as build1:7443`},
		"nobody":        {s.clientOf("127.0.0.1:1", good.ClientConfig), "cannot reach the davit host at 127.0.0.1:1: nothing listens there; "},
	} {
		for range 5 { // the host's refusal and the client's request cross
			_, err := tt.c.List(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got %v\nwant %s", name, err, tt.want)
				break
			}
			if executor.CodeOf(err) == executor.OutcomeUnknown {
				t.Errorf("%s: the code of %v is that of a lost answer", name, err)
			}
		}
	}
	if s.log.has("request method") {
		t.Error("a request was served")
	}
	if !s.log.has("reason=failed to verify certificate: x509: certificate signed by unknown authority claims_to_be=stranger") {
		t.Error("the log does not say who was refused")
	}
}

func TestTLSRefusesHosts(t *testing.T) {
	past := certificates.Host("host")
	past.NotBefore, past.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	elsewhere := certificates.Host("host")
	elsewhere.DNSNames, elsewhere.IPAddresses = []string{"build1", "build2"}, []net.IP{net.IPv4(10, 0, 0, 1)}
	nameless := certificates.Host("127.0.0.1")
	nameless.DNSNames, nameless.IPAddresses = nil, nil
	for name, tt := range map[string]struct {
		cert *x509.Certificate
		want string
	}{
		"expired":    {past, "its certificate is valid from "},
		"wrong name": {elsewhere, "its certificate is not for 127.0.0.1, but for build1, build2, 10.0.0.1; use one of these names, or add 127.0.0.1 to its subjectAltName"},
		"no name":    {nameless, "its certificate has no subjectAltName, and so it is for nobody"},
	} {
		s := serveTLS(t, &fake{}, tt.cert)
		if _, err := s.client(s.authority, certificates.Client("good")).List(t.Context()); err == nil || !strings.Contains(err.Error(), "the davit host at "+s.address+" is not trusted: "+tt.want) {
			t.Errorf("%s: got %v", name, err)
		}
		doubts, err := filesIn(s.path("host")).CheckHost()
		if err != nil || name != "wrong name" && len(doubts) != 1 {
			t.Errorf("%s: found are %q, %v", name, doubts, err)
		}
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(plain) }()
	s := serveTLS(t, &fake{}, certificates.Host("host"))
	s.authority.Write(s.path("good"), certificates.Client("good"))
	_, err = s.clientOf(plain.Addr().String(), filesIn(s.path("good")).ClientConfig).List(t.Context())
	if err == nil || !strings.Contains(err.Error(), " is not trusted: what answers there does not speak TLS") {
		t.Errorf("a server without TLS: got %v", err)
	}
	_ = server.Close()
	<-served
}

// TestNothingIsServedWithoutACertificate makes every request over TCP without TLS, and with TLS
// but without a certificate.
func TestNothingIsServedWithoutACertificate(t *testing.T) {
	s := serveTLS(t, &fake{}, certificates.Host("host"))
	stranger := &tls.Config{InsecureSkipVerify: true}
	for _, r := range Routes() {
		path := strings.NewReplacer("{ref}", "c1", "{", "", "}", "").Replace(r.Path)
		request := r.Method + " " + path + " HTTP/1.1\r\nHost: davit\r\nConnection: Upgrade\r\nUpgrade: " + streamProtocol + "\r\nContent-Length: 2\r\n\r\n{}"
		for name, dial := range map[string]func() (net.Conn, error){
			"plain": func() (net.Conn, error) { return net.Dial("tcp", s.address) },
			"TLS":   func() (net.Conn, error) { return tls.Dial("tcp", s.address, stranger) },
		} {
			conn, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(conn, request)
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			answer, err := io.ReadAll(conn)
			conn.Close()
			if name == "TLS" && (len(answer) > 0 || err == nil || !strings.Contains(err.Error(), "certificate required")) {
				t.Errorf("%s %s over TLS: got %q, %v", r.Method, path, answer, err)
			}
			if name == "plain" {
				resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(answer))), nil)
				if err != nil {
					t.Fatalf("%s %s: got %q, %v", r.Method, path, answer, err)
				}
				body, _ := io.ReadAll(resp.Body)
				if want := `{"code":"failed_precondition","message":"this port of the davit host speaks HTTPS, and only with clients that have a certificate"}` + "\n"; resp.StatusCode != 400 || string(body) != want {
					t.Errorf("%s %s without TLS: got %d %s", r.Method, path, resp.StatusCode, body)
				}
			}
		}
	}
	if s.log.has("request method") {
		t.Error("a request was served")
	}
}

// TestTLSRenewal replaces the files of a host that listens, first one of two that belong
// together.
func TestTLSRenewal(t *testing.T) {
	s := serveTLS(t, &fake{list: func() ([]Container, error) { return nil, nil }}, certificates.Host("first"))
	s.authority.Write(s.path("good"), certificates.Client("good"))
	name := func() string {
		t.Helper()
		conn, err := s.clientOf(s.address, filesIn(s.path("good")).ClientConfig).dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	move := func(file string) {
		t.Helper()
		if err := os.Rename(s.path("next/"+file), s.path("host/"+file)); err != nil {
			t.Fatal(err)
		}
	}
	before := s.client(s.authority, certificates.Client("before"))
	if _, err := before.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.authority.Write(s.path("next"), certificates.Host("second"))
	move("cert.pem")
	if got := name(); got != "first" {
		t.Errorf("with half of the new files it is %q", got)
	}
	if !s.log.has("error the files of the API's TLS have changed and cannot be used; those before stay in force") {
		t.Error("the log does not say so")
	}
	move("key.pem")
	if got := name(); got != "second" {
		t.Errorf("renewed, it is %q", got)
	}
	s.authority.Write(s.path("third"), certificates.Host("third"))
	if renewed, err := s.listener.Reload(filesIn(s.path("third"))); !renewed || err != nil {
		t.Errorf("other files: got %t, %v", renewed, err)
	}
	if renewed, err := s.listener.Reload(filesIn(s.path("third"))); renewed || err != nil {
		t.Errorf("the same again: got %t, %v", renewed, err)
	}
	if got := name(); got != "third" {
		t.Errorf("with other files it is %q", got)
	}
	// A client that is connected stays so.
	if _, err := before.List(t.Context()); err != nil {
		t.Error(err)
	}
	// Another CA of clients: those of the one before are not let in any more.
	certificates.New(t, "another CA").Write(s.path("stranger"), certificates.Client("x"))
	files := filesIn(s.path("third"))
	files.CA = s.path("stranger/ca.pem")
	if _, err := s.listener.Reload(files); err != nil {
		t.Fatal(err)
	}
	if _, err := s.client(s.authority, certificates.Client("good")).List(t.Context()); err == nil || !strings.Contains(err.Error(), "has not signed the certificate of this client") {
		t.Errorf("a client of the CA before: got %v", err)
	}
}

func TestTLSFiles(t *testing.T) {
	dir := shortDir(t)
	authority := certificates.New(t, "CA")
	authority.Write(dir, certificates.Host("host"))
	files := filesIn(dir)
	if doubts, err := files.CheckHost(); len(doubts) > 0 || err != nil {
		t.Errorf("good files: %q, %v", doubts, err)
	}
	soon := certificates.Client("x")
	soon.DNSNames = []string{"localhost"}
	soon.NotBefore, soon.NotAfter = time.Now().Add(-30*24*time.Hour), time.Now().Add(3*24*time.Hour)
	authority.Write(filepath.Join(dir, "soon"), soon)
	doubts, err := filesIn(filepath.Join(dir, "soon")).CheckHost()
	if got := strings.Join(doubts, "\n"); err != nil || got != dir+"/soon/cert.pem expires at "+soon.NotAfter.UTC().Format(timeForm)+"; renew it\n"+dir+"/soon/cert.pem is not for servers: its extendedKeyUsage lacks serverAuth" {
		t.Errorf("doubtful files: %s, %v", got, err)
	}
	refuse := func(want string, f TLSFiles) {
		t.Helper()
		if _, err := f.CheckHost(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		if l, err := ListenTLS(t.Context(), TLSSocket{Address: "127.0.0.1:0", Files: f}); err == nil {
			l.Close()
			t.Errorf("a host listens with %+v", f)
		}
	}
	if err := os.Chmod(files.Key, 0o604); err != nil {
		t.Fatal(err)
	}
	refuse(files.Key+" is a private key, and everybody can read it; chmod 600 it", files)
	if err := os.Chmod(files.Key, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(files.CA, 0o666); err != nil {
		t.Fatal(err)
	}
	refuse(files.CA+" can be written by everybody; chmod o-w it", files)
	if err := os.Chmod(files.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	refuse("not an absolute path", TLSFiles{})
	refuse("no such file", TLSFiles{files.Certificate, files.Key, files.CA + "x"})
	refuse(dir+" is not a file", TLSFiles{files.Certificate, files.Key, dir})
	refuse("there is no certificate in it", TLSFiles{files.Certificate, files.Key, files.Key})
}

// TestTLSSurvivesSilence has clients that connect and say nothing, beside one that does.
func TestTLSSurvivesSilence(t *testing.T) {
	s := serveTLS(t, &fake{list: func() ([]Container, error) { return nil, nil }}, certificates.Host("host"))
	for range 50 {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if _, err := s.client(s.authority, certificates.Client("good")).List(t.Context()); err != nil {
		t.Error(err)
	}
}
