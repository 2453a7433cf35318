package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/trace"
)

// Client calls a host. It is safe for concurrent use. Errors have the codes that the
// host returned. [executor.Unavailable] also means that no host answers, and
// [executor.OutcomeUnknown] that the host went away before it answered.
type Client struct {
	// Patience is how long calls wait for a host that went away while it served them,
	// because it was killed, restarted or upgraded. When it is back they go on where
	// they were. This applies to calls that wait or stream (Wait, Stop, Logs, Attach,
	// Events), and to those that make containers (Create, Run), whose requests the host
	// recognizes when they are repeated. 0 means not to wait. A call never waits for a
	// host that did not answer at its beginning. Set Patience, Gone and Back before the
	// first call.
	Patience time.Duration
	// Gone, if not nil, is called with the reason when the host went away and calls
	// begin to wait. Back, if not nil, is called when it is back.
	Gone func(reason error)
	Back func()

	socket string // or a TCP address, with connect
	// connect, if not nil, connects to something else than a Unix socket.
	connect func(ctx context.Context) (net.Conn, error)
	http    http.Client
	outage  outage
}

// NewClient returns a client of the host that listens on a Unix socket. The client
// connects at the first call.
func NewClient(socket string) *Client {
	c := &Client{socket: socket}
	c.http = http.Client{
		Transport:     &http.Transport{DialContext: c.dial, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// dial connects to the socket. Its errors are about the socket, not about HTTP.
func (c *Client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if c.connect != nil {
		return c.connect(ctx)
	}
	if err := checkLength(c.socket); err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.socket)
	switch {
	case err == nil:
		return conn, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		err = &absentError{executor.Errorf(executor.Unavailable, "cannot reach the davit host at %s: is `davit serve` running?", c.socket)}
	case errors.Is(err, fs.ErrPermission):
		err = executor.Errorf(executor.Unavailable, "cannot reach the davit host at %s: permission denied; be root, or in the group that its config names in api", c.socket)
	case ctx.Err() == nil:
		err = executor.Errorf(executor.Unavailable, "cannot reach the davit host at %s: %w", c.socket, err)
	}
	return nil, err
}

// open makes a request and returns the response, or the error in it. The caller closes
// the body.
func (c *Client) open(ctx context.Context, method, target string, in any) (*http.Response, error) {
	req, err := newRequest(ctx, method, target, in)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.broken(ctx, method, err)
	}
	if resp.StatusCode/100 != 2 || resp.StatusCode == statusPending {
		defer resp.Body.Close()
		return nil, readFailure(resp)
	}
	return resp, nil
}

// upgrade makes a request whose connection is to become one of frames.
func (c *Client) upgrade(ctx context.Context, method, target string, in any) (*http.Response, error) {
	req, err := newRequest(ctx, method, target, in)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", streamProtocol)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.broken(ctx, method, err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		defer resp.Body.Close()
		return nil, readFailure(resp)
	}
	return resp, nil
}

func newRequest(ctx context.Context, method, target string, in any) (*http.Request, error) {
	var body io.Reader
	kind := "application/json"
	if s, ok := in.(*stream); ok {
		body, kind = s.content, s.kind
	} else if in != nil {
		raw, err := encode(in)
		if err != nil {
			return nil, err
		}
		if len(raw) > MaxBody {
			return nil, invalid("the request has %d bytes, at most %d are allowed", len(raw), MaxBody)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://davit"+target, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", kind)
	}
	if parent := trace.Traceparent(ctx); parent != "" {
		req.Header.Set(traceHeader, parent)
	}
	return req, nil
}

// readAll returns the body of a response.
func (c *Client) readAll(ctx context.Context, resp *http.Response) ([]byte, error) {
	var raw bytes.Buffer
	raw.Grow(int(min(max(0, resp.ContentLength), MaxBody)) + bytes.MinRead) // a list has hundreds of kilobytes
	if _, err := raw.ReadFrom(resp.Body); err != nil {
		return nil, c.broken(ctx, resp.Request.Method, err)
	}
	return raw.Bytes(), nil
}

// broken returns the error of a request that got no answer, or only part of it.
func (c *Client) broken(ctx context.Context, method string, err error) error {
	if absent, ok := errors.AsType[*absentError](err); ok {
		return absent
	}
	if coded, ok := errors.AsType[*executor.Error](err); ok { // of dial
		return coded
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // it names a URL that nobody asked for
	}
	if refusal(err) != "" {
		return refused(c.socket, err)
	}
	code := executor.OutcomeUnknown
	if method == http.MethodGet {
		code = executor.Unavailable
	}
	return &goneError{executor.Errorf(code, "the connection to the davit host at %s broke: %w", c.socket, err)}
}
