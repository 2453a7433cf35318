package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

const (
	// handshakeTime is how long a client may take to prove who it is.
	handshakeTime = 10 * time.Second
	// maxHandshakes is how many clients may do so at once. Others wait in the kernel.
	maxHandshakes = 256
	// refusedTime is how long a client that was refused may take to read why.
	refusedTime = 2 * time.Second
	// refusedEvery is how often a refused client is logged as more than a detail.
	refusedEvery = time.Second
)

// TLSSocket describes where a host listens on TCP.
type TLSSocket struct {
	// Address is an IP address and a port.
	Address string
	// Files are the host's. Whoever has a certificate that their CA has signed may do
	// all that the API can.
	Files TLSFiles
	// Logger logs clients that are refused. Nil discards that.
	Logger Logger
}

// TLSListener is a net.Listener whose connections are those of clients that have proven with
// a certificate who they are. Others get no further than TLS. It is made by [ListenTLS].
type TLSListener struct {
	tcp    net.Listener
	keys   *tlsKeys
	logger Logger

	good  chan net.Conn
	slots chan struct{} // handshakes under way
	ctx   context.Context
	stop  context.CancelFunc
	wg    sync.WaitGroup

	mu     sync.Mutex
	logged time.Time // when a refused client was
}

// ListenTLS listens on TCP, for [Serve]. It speaks TLS 1.3 alone, and requires a certificate of
// each client; there is no way to listen on TCP without. Files that are renewed are read again
// before the next connection. The error is [executor.FailedPrecondition] or
// [executor.Invalid] if they cannot be used.
func ListenTLS(ctx context.Context, s TLSSocket) (*TLSListener, error) {
	if s.Logger == nil {
		s.Logger = silent{}
	}
	l := &TLSListener{
		keys: &tlsKeys{logger: s.Logger}, logger: s.Logger,
		good: make(chan net.Conn), slots: make(chan struct{}, maxHandshakes),
	}
	if _, err := l.keys.use(s.Files); err != nil {
		return nil, fmt.Errorf("TLS of the API: %w", err)
	}
	var lc net.ListenConfig
	var err error
	if l.tcp, err = lc.Listen(ctx, "tcp", s.Address); err != nil {
		return nil, fmt.Errorf("TLS of the API: %w", err)
	}
	l.ctx, l.stop = context.WithCancel(context.Background())
	l.wg.Go(l.acceptAll)
	return l, nil
}

// Reload reads the files again, or others. It reports whether the host's certificate is
// another. If the files cannot be used, those before stay in force. Those who are connected
// stay connected.
func (l *TLSListener) Reload(files TLSFiles) (renewed bool, err error) { return l.keys.use(files) }

// Accept implements net.Listener. It returns a *tls.Conn.
func (l *TLSListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.good:
		return conn, nil
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (l *TLSListener) Addr() net.Addr { return l.tcp.Addr() }

// Close implements net.Listener.
func (l *TLSListener) Close() error {
	l.stop()
	err := l.tcp.Close()
	l.wg.Wait()
	return err
}

// acceptAll begins a handshake with each client.
func (l *TLSListener) acceptAll() {
	for {
		select {
		case l.slots <- struct{}{}:
		case <-l.ctx.Done():
			return
		}
		conn, err := l.tcp.Accept()
		switch {
		case err == nil:
			l.wg.Go(func() { l.meet(conn) })
			continue
		case l.ctx.Err() != nil:
			return
		}
		<-l.slots
		l.logger.Error("connections over TCP cannot be accepted", "error", err) // mostly too many open files
		select {
		case <-time.After(time.Second):
		case <-l.ctx.Done():
		}
	}
}

// meet makes a client prove who it is.
func (l *TLSListener) meet(tcp net.Conn) {
	ctx, cancel := context.WithTimeout(l.ctx, handshakeTime)
	conn := tls.Server(tcp, &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: l.keys.now})
	err := conn.HandshakeContext(ctx)
	cancel()
	if err == nil && len(conn.ConnectionState().VerifiedChains) == 0 { // cannot be
		err = errors.New("it has no certificate")
	}
	if err != nil {
		l.refuse(tcp, err)
		<-l.slots
		return
	}
	<-l.slots
	select {
	case l.good <- conn:
	case <-l.ctx.Done():
		_ = conn.Close()
	}
}

// refuse ends a connection with a client that was told why, by TLS. It gives the client time
// to read that: a connection that is closed while input waits is reset, and the client would
// see no more than that.
func (l *TLSListener) refuse(tcp net.Conn, err error) {
	defer tcp.Close()
	if l.ctx.Err() != nil {
		return
	}
	l.logRefused(tcp.RemoteAddr().String(), err)
	_ = tcp.SetDeadline(time.Now().Add(refusedTime))
	defer context.AfterFunc(l.ctx, func() { _ = tcp.Close() })()
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok && looksLikeHTTP(record.RecordHeader[:]) {
		body, _ := encode(failureOf(executor.Errorf(executor.FailedPrecondition, "this port of the davit host speaks HTTPS, and only with clients that have a certificate")))
		_, _ = io.WriteString(tcp, "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+string(body))
	}
	if half, ok := tcp.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_, _ = io.CopyN(io.Discard, tcp, 1<<20)
}

// looksLikeHTTP reports whether a record is the beginning of a request without TLS.
func looksLikeHTTP(header []byte) bool {
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch} {
		if n := min(len(header), len(method)); string(header[:n]) == method[:n] {
			return true
		}
	}
	return false
}

// logRefused logs why a client was refused. Somebody who knocks again and again must not fill
// the log.
func (l *TLSListener) logRefused(address string, err error) {
	reason := strings.TrimPrefix(err.Error(), "tls: ")
	name := ""
	if failed, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		name = commonName(failed.UnverifiedCertificates[0])
	}
	l.mu.Lock()
	quiet := time.Since(l.logged) < refusedEvery
	if !quiet {
		l.logged = time.Now()
	}
	l.mu.Unlock()
	log := l.logger.Debug
	if w, ok := l.logger.(interface{ Warn(string, ...any) }); ok && !quiet && !errors.Is(err, io.EOF) {
		log = w.Warn
	}
	pairs := []any{"address", address, "reason", reason}
	if name != "" {
		pairs = append(pairs, "claims_to_be", name)
	}
	log("a client cannot connect over TCP", pairs...)
}

// commonName returns the name of whom a certificate is for.
func commonName(c *x509.Certificate) string {
	if name := c.Subject.CommonName; name != "" {
		return name
	}
	return c.Subject.String()
}
